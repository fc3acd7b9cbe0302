"""Writing small ``.h5`` files as Keras lays them out, and as no Keras ever would."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Weights = Mapping[str, Mapping[str, Sequence[int]]]
"""Shapes of datasets by layer and weight name."""


def layer(class_name: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": name, **config}}


def sequential(*layers: Any, **config: Any) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "sequential", "layers": list(layers), **config}}


def functional(inputs: Any, outputs: Any, *layers: Any) -> dict[str, Any]:
    named = [{**entry, "name": entry["config"]["name"], "inbound_nodes": []} for entry in layers]
    config = {"name": "model", "layers": named, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Functional", "config": config}


def write_listed(group: h5py.Group, weights: Weights) -> None:
    """Write weights as Keras 1 and 2 do, and Keras 3 in full files."""
    group.attrs["layer_names"] = [name.encode() for name in weights]
    for name, datasets in weights.items():
        below = group.create_group(name)
        below.attrs["weight_names"] = [weight.encode() for weight in datasets]
        for weight, shape in datasets.items():
            below.create_dataset(weight, data=np.ones(shape, "f4"))


def write_model(
    path: Path,
    config: Any,
    weights: Weights | None = None,
    *,
    version: str | None = "2.4.0",
    backend: str | None = "tensorflow",
) -> Path:
    """Write a full model file; ``config`` as text is written as it is."""
    with h5py.File(path, "w", libver="latest") as file:
        text = config if isinstance(config, str) else json.dumps(config)
        file.attrs.create("model_config", text, dtype=h5py.string_dtype())
        for name, value in {"keras_version": version, "backend": backend}.items():
            if value is not None:
                file.attrs[name] = value.encode()
        write_listed(file.create_group("model_weights"), weights or {})
    return path


DENSE = {"dense/kernel:0": (4, 2), "dense/bias:0": (2,)}
"""Weights of a Dense layer: 10 parameters."""


def dense_model(*more: Any, **config: Any) -> dict[str, Any]:
    """Return a model of one Dense layer and whatever follows."""
    return sequential(layer("Dense", "dense", units=2, batch_input_shape=[None, 4], **config), *more)
