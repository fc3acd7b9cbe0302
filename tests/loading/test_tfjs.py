"""HDF5 files in the words of TensorFlow.js answer as the models that they tell of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from fixtures_command import Run

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def tfjs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tfjs")
    maker = Path(__file__).with_name("make_tfjs.py")
    subprocess.run([sys.executable, maker, folder], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("name", ["pictures", "sequences", "branches"])
def test_it_answers_as_its_model(packager: Run, tfjs: Path, name: str) -> None:
    path = tfjs / f"{name}.h5"
    inspected = packager("inspect", path, "--json").json
    assert inspected["keras_version"] == "tfjs-layers 1.7.4"
    assert [finding["rule"] for finding in inspected["findings"]] == []
    done = packager("convert", path, "--name", "m", "--golden", path.with_suffix(".npz"), "--json")
    assert done.code == 0, done.err
    assert done.json["golden"] < 1e-5
    assert done.json["loader"].startswith("tf_keras ")
    assert {binding["transform"] for binding in done.json["bindings"]} == {"copy"}
    with h5py.File(path) as file:
        stored = sum(len(group.attrs["weight_names"]) for group in file["model_weights"].values())
    assert len(done.json["bindings"]) == stored
