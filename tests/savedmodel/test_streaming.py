"""A model converted as a stream has the weights of the ordinary way, byte for byte, and answers alike."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conversions import Converted, convert_all

from packager.isolation import run_isolated

pytestmark = pytest.mark.tensorflow

HERE = Path(__file__).parent

CUT_OFF = {"normalized": {"count", "mean", "variance"}}
"""Variables that are constants in the graph, by model, or that the answers do not depend on."""


@dataclass(frozen=True)
class Files:
    """A library's models, and what the process that converts them needs."""

    paths: list[Path]
    environment: Mapping[str, str]


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("zoo")
    environment = {
        "KERAS_BACKEND": "tensorflow",
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
        "CUDA_VISIBLE_DEVICES": "",
        "TF_USE_LEGACY_KERAS": "1" if request.param == "tf_keras" else "0",
    }
    subprocess.run(
        [sys.executable, HERE / "make_zoo.py", request.param, folder],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    return Files(paths=sorted(folder.glob("*.h5")), environment=environment)


@pytest.fixture(scope="module")
def zoo(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, bool], Converted]:
    folder = tmp_path_factory.mktemp("converted")
    return run_isolated(convert_all, files.paths, folder, environment=files.environment)


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


def test_weights_are_written_once(zoo: Mapping[tuple[str, bool], Converted]) -> None:
    anew = {name for (name, _), made in zoo.items() if any("written anew" in text for text in made.told)}
    assert anew == set(CUT_OFF)


def test_matrices_in_pieces_give_the_answers_of_whole_ones(
    files: Files, zoo: Mapping[tuple[str, bool], Converted], tmp_path: Path
) -> None:
    chosen = [path for path in files.paths if path.stem in {"attentive", "looked_up", "mixed", "shared"}]
    made = run_isolated(convert_all, chosen, tmp_path, (True,), 64, environment=files.environment)
    assert len(made) >= 3
    for (name, _), in_pieces in made.items():
        assert in_pieces.result is not None, f"{name}: {in_pieces.error}"
        assert not in_pieces.result.fallbacks, f"{name}: {in_pieces.result.fallbacks}"
        assert in_pieces.result.parity <= 1e-6, name
        answers, whole = (
            np.load(folder / "assets.extra/packager/samples.npz")
            for folder in (in_pieces.folder, zoo[name, False].folder)
        )
        assert answers.files == whole.files
        for key in whole.files:
            if whole[key].dtype.kind == "f":
                np.testing.assert_allclose(answers[key], whole[key], rtol=1e-4, atol=1e-5, err_msg=name)
