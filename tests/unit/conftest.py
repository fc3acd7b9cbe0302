"""Small ``.h5`` files, laid out as Keras lays them out, made without Keras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

DENSE = {
    "class_name": "Dense",
    "config": {"name": "dense", "units": 2, "activation": "linear", "batch_input_shape": [None, 4]},
}
LAMBDA = {
    "class_name": "Lambda",
    "config": {"name": "lambda_1", "function": ["4wEAAAA=\n", None, None], "function_type": "lambda"},
}


def write_weights(group: Any) -> None:
    group.attrs["layer_names"] = [b"dense"]
    group.attrs["keras_version"] = b"2.4.0"
    group.attrs["backend"] = b"tensorflow"
    layer = group.create_group("dense")
    layer.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
    layer["dense/kernel:0"] = np.arange(8, dtype="f4").reshape(4, 2)
    layer["dense/bias:0"] = np.zeros(2, "f4")


def write_model(path: Path, *layers: dict[str, Any]) -> Path:
    with h5py.File(path, "w") as file:
        config = {"class_name": "Sequential", "config": {"name": "sequential", "layers": list(layers)}}
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = b"2.4.0"
        file.attrs["backend"] = b"tensorflow"
        write_weights(file.create_group("model_weights"))
    return path


@pytest.fixture
def small_h5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full model of Keras 2: one Dense layer, 10 parameters."""
    return write_model(tmp_path_factory.mktemp("h5") / "small.h5", DENSE)


@pytest.fixture
def lambda_h5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a Lambda layer that holds bytecode."""
    return write_model(tmp_path_factory.mktemp("h5") / "lambda.h5", DENSE, LAMBDA)


@pytest.fixture
def weights_h5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of the same model, without its architecture."""
    path = tmp_path_factory.mktemp("h5") / "weights.h5"
    with h5py.File(path, "w") as file:
        write_weights(file)
    return path
