"""A short run of nonsense: ``scripts/fuzz_serving`` sends 100,000 requests."""

from __future__ import annotations

import re
import subprocess

import pytest
from embedded_server import REPOSITORY

pytestmark = pytest.mark.tensorflow


def test_nonsense_of_every_kind_is_answered() -> None:
    command = [
        REPOSITORY / "scripts" / "fuzz_serving",
        "--requests",
        "4000",
        "--seconds",
        "60",
        "--seed",
        "7",
    ]
    fuzzed = subprocess.run(command, capture_output=True, text=True)
    assert fuzzed.returncode == 0, fuzzed.stdout + fuzzed.stderr
    found = re.search(r"^(\d+) requests in \d+ s, (\d+) answers", fuzzed.stdout, re.MULTILINE)
    assert found
    assert int(found[1]) > 500
    assert int(found[2]) > 20
