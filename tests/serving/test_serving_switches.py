"""Switching versions under load, briefly: ``scripts/switch_versions`` does it 200 times and prints more."""

from __future__ import annotations

import re
import subprocess

import pytest
from embedded_server import REPOSITORY

pytestmark = pytest.mark.tensorflow


def test_no_answer_is_lost_and_memory_does_not_grow() -> None:
    switched = subprocess.run(
        [REPOSITORY / "scripts" / "switch_versions", "--switches", "40", "--megabytes", "8"],
        capture_output=True,
        text=True,
    )
    assert switched.returncode == 0, switched.stdout + switched.stderr
    found = re.search(r"^(\d+) answers, all right", switched.stdout, re.MULTILINE)
    assert found
    assert int(found[1]) > 40
