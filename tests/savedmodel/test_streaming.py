"""A model converted as a stream has the weights of the ordinary way, byte for byte, and answers alike."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from conversions import Converted, convert_all

from packager.isolation import run_isolated

pytestmark = pytest.mark.tensorflow

HERE = Path(__file__).parent

CUT_OFF = {"normalized": {"count", "mean", "variance"}}
"""Variables that are constants in the graph, by model, or that the answers do not depend on."""


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def zoo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[tuple[str, bool], Converted]:
    files, folder = tmp_path_factory.mktemp("zoo"), tmp_path_factory.mktemp("converted")
    environment = {
        "KERAS_BACKEND": "tensorflow",
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
        "CUDA_VISIBLE_DEVICES": "",
        "TF_USE_LEGACY_KERAS": "1" if request.param == "tf_keras" else "0",
    }
    subprocess.run(
        [sys.executable, HERE / "make_zoo.py", request.param, files],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    return run_isolated(convert_all, sorted(files.glob("*.h5")), folder, environment=environment)


def contents(folder: Path) -> dict[str, bytes]:
    """Return all but the graph, in which one process counts on from model to model."""
    files = (file for file in folder.rglob("*") if file.is_file())
    of_graph = ("saved_model.pb", "fingerprint.pb")
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if file.name not in of_graph}


def test_a_stream_gives_the_same_weights_and_answers(zoo: Mapping[tuple[str, bool], Converted]) -> None:
    assert len(zoo) >= 26
    for (name, streamed), made in zoo.items():
        assert made.error is None, f"{name}: {made.error} {made.error.details}"
        if streamed:
            first, second = contents(made.folder), contents(zoo[name, False].folder)
            assert first.keys() == second.keys(), name
            differing = {file for file in first if first[file] != second[file]}
            assert not differing, f"{name}: {differing}"


def test_variables_are_the_datasets_bit_by_bit(zoo: Mapping[tuple[str, bool], Converted]) -> None:
    for (name, _), made in zoo.items():
        assert made.equal, name
        left = {variable.rpartition("/")[2] for variable in made.unequal} - CUT_OFF.get(name, set())
        assert not left, f"{name}: {left}"


def test_answers_are_equal_and_nothing_was_held(zoo: Mapping[tuple[str, bool], Converted]) -> None:
    for (name, streamed), made in zoo.items():
        assert made.result is not None
        assert made.result.parity <= 1e-6, name
        assert not streamed or not made.result.fallbacks, f"{name}: {made.result.fallbacks}"
