"""Clients that were written for TensorFlow Serving, as people have them."""

from __future__ import annotations

import subprocess

import pytest
from embedded_server import REPOSITORY

pytestmark = pytest.mark.tensorflow


def test_clients_of_tensorflow_serving_do_not_notice() -> None:
    asked = subprocess.run([REPOSITORY / "scripts" / "real_clients"], capture_output=True, text=True)
    if "No matching distribution found" in asked.stderr or "Could not find a version" in asked.stderr:
        pytest.skip(f"the clients cannot be installed here: {asked.stderr.strip().splitlines()[-1]}")
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert asked.stdout.count("  ok\n") == 5, asked.stdout
