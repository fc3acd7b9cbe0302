"""``packager base``: the embedded base by command, and what its bytes are spent on."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures_command import Run
from image_models import make_servable

pytestmark = pytest.mark.tensorflow


def test_the_parts_are_told(packager: Run) -> None:
    done = packager("base", "--json")
    assert done.code == 0, done.err
    told = done.json
    assert [part["name"] for part in told["parts"]] == [
        *("system", "python", "tensorflow", "distributions", "server")
    ]
    assert sum(part["size"] for part in told["parts"]) == told["size"] < 700e6
    assert any(package.startswith("pkg:pypi/grpcio@") for package in told["packages"])
    assert not told["in_engine"]


def test_only_known_origins_are_taken(packager: Run, tmp_path: Path) -> None:
    done = packager("base", "--from", "alpine")
    assert done.code == 2
    assert "error: invalid --from 'alpine'" in done.err
    model = make_servable(tmp_path / "models", weights=10).path.parent
    options = ("-t", "digits:1", "--base", "embedded:alpine", "--engine", "none", "--oci-layout", "image")
    built = packager("build", model, *options)
    assert built.code == 2
    assert "invalid base 'embedded:alpine'" in built.err
