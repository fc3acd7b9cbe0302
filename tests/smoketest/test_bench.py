"""Load tests through the command, on the embedded server."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures_command import Run

pytestmark = pytest.mark.tensorflow


def test_two_targets_are_measured_side_by_side(packager: Run, pristine: Path):
    done = packager("bench", pristine, "--against", pristine, "--seconds", 1, "--batch", 3, "-c", 2, "--json")
    assert done.code == 0, done.err
    for result in done.json:
        assert (result["target"], result["mode"]) == (str(pristine), "process")
        assert result["errors"] == []
        assert result["answered"] > 10
        assert result["examples_per_s"] == pytest.approx(3 * result["requests_per_s"])
        assert 0 < result["p50_ms"] <= result["p90_ms"] <= result["p99_ms"] <= result["max_ms"]
        assert 0 < result["cpu_share"] < 64
        assert result["memory_bytes"] > 50e6
    assert len(done.json) == 2


def test_load_goes_over_grpc_as_well(packager: Run, pristine: Path):
    done = packager("bench", pristine, "--seconds", 1, "--protocol", "grpc", "--json")
    assert done.code == 0, done.err
    (result,) = done.json
    assert result["load"]["protocol"] == "grpc"
    assert result["answered"] > 10
    assert result["errors"] == []


def test_an_open_loop_is_shown_to_people(packager: Run, pristine: Path):
    done = packager("bench", pristine, "--seconds", 1, "--rate", 20)
    assert done.code == 0, done.err
    heads, row = done.out.splitlines()
    assert heads.split()[:3] == ["target", "requests/s", "examples/s"]
    assert float(row.split()[1]) == pytest.approx(20, rel=0.3)
