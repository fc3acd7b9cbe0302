"""The cases observed on TensorFlow Serving itself, which are kept outside this repository."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from embedded_server import REPOSITORY

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def conformance() -> Path:
    folder = Path(os.environ.get("PACKAGER_CONFORMANCE", REPOSITORY.parent / "shared" / "conformance"))
    if not (folder / "run.py").is_file():
        pytest.skip(f"conformance cases not found at {folder} (set PACKAGER_CONFORMANCE)")
    return folder


def test_every_observed_answer_is_given(conformance: Path, tmp_path: Path) -> None:
    server = tmp_path / "tensorflow_model_server"
    server.write_text(f'#!/bin/sh\nPYTHONPATH={REPOSITORY} exec {sys.executable} -m packager.serving "$@"\n')
    server.chmod(server.stat().st_mode | stat.S_IXUSR)
    runner = [sys.executable, str(conformance / "run.py")]
    subprocess.run([*runner, "fixtures", str(tmp_path / "fixtures")], check=True, capture_output=True)
    checked = subprocess.run(
        [*runner, "check", str(server), str(tmp_path / "fixtures")], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    cases = json.loads((conformance / "cases.json").read_text())["cases"]
    assert checked.stdout.splitlines()[-1] == f"{len(cases)} passed, 0 failed"
    assert len(cases) >= 127
