"""Weights of both Keras libraries, with the answers of the models they come from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def keras3_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _made("keras", tmp_path_factory.mktemp("keras3"))


@pytest.fixture(scope="session")
def keras2_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _made("tf_keras", tmp_path_factory.mktemp("keras2"))


def _made(library: str, folder: Path) -> Path:
    subprocess.run(
        [sys.executable, HERE / "make_weights.py", library, folder],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        check=True,
        capture_output=True,
    )
    return folder
