"""Valid files of every kind, made without Keras, to be changed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Weights = dict[str, dict[str, tuple[int, ...]]]
SMALL = 120_000
"""Bytes up to which a real file is a seed."""


@dataclass(frozen=True)
class Seed:
    """A valid file, with what else is said when it is converted."""

    path: Path
    options: tuple[str, ...] = ()


def layer(class_name: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": name, **config}}


def sequential(*layers: Any) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "model", "layers": list(layers)}}


def dense2() -> tuple[Any, Weights]:
    first = layer("Dense", "a", units=3, activation="relu", batch_input_shape=[None, 4], dtype="float32")
    config = sequential(first, layer("Dropout", "d", rate=0.5), layer("Dense", "b", units=2))
    return config, {
        "a": {"a/kernel:0": (4, 3), "a/bias:0": (3,)},
        "b": {"b/kernel:0": (3, 2), "b/bias:0": (2,)},
    }


def pictures2() -> tuple[Any, Weights]:
    config = sequential(
        layer("InputLayer", "input_1", batch_input_shape=[None, 6, 6, 2], dtype="float32"),
        layer(
            "Conv2D", "c", filters=3, kernel_size=[3, 3], strides=[1, 1], padding="same", activation="relu"
        ),
        layer("BatchNormalization", "n", axis=[3], momentum=0.99, epsilon=0.001),
        layer("MaxPooling2D", "p", pool_size=[2, 2], strides=[2, 2], padding="valid"),
        layer("Flatten", "f"),
        layer("Dense", "b", units=2, activation="softmax"),
    )
    norm = {f"n/{part}:0": (3,) for part in ("gamma", "beta", "moving_mean", "moving_variance")}
    weights = {"c": {"c/kernel:0": (3, 3, 2, 3), "c/bias:0": (3,)}, "n": norm}
    return config, weights | {"b": {"b/kernel:0": (27, 2), "b/bias:0": (2,)}}


def graph2() -> tuple[Any, Weights]:
    def node(class_name: str, name: str, inbound: Any, **config: Any) -> dict[str, Any]:
        return {**layer(class_name, name, **config), "name": name, "inbound_nodes": inbound}

    layers = [
        node("InputLayer", "x", [], batch_input_shape=[None, 4], dtype="float32"),
        node("InputLayer", "y", [], batch_input_shape=[None, 4], dtype="float32"),
        node("Dense", "a", [[["x", 0, 0, {}]]], units=4),
        node("Add", "s", [[["a", 0, 0, {}], ["y", 0, 0, {}]]]),
        node("TFOpLambda", "t", [["s", 0, 0, {"y": 2.0}]], function="math.multiply"),
    ]
    config = {"name": "model", "layers": layers, "output_layers": [["s", 0, 0], ["t", 0, 0]]}
    config["input_layers"] = [["x", 0, 0], ["y", 0, 0]]
    return {"class_name": "Functional", "config": config}, {"a": {"a/kernel:0": (4, 4), "a/bias:0": (4,)}}


def recurrent2() -> tuple[Any, Weights]:
    inner = layer("LSTM", "l", units=2, activation="tanh", recurrent_activation="sigmoid")
    both = layer("Bidirectional", "w", layer=inner, merge_mode="concat", batch_input_shape=[None, 5, 3])
    weights = {
        f"w/{way}_l/lstm_cell/{part}:0": shape
        for way in ("forward", "backward")
        for part, shape in (("kernel", (3, 8)), ("recurrent_kernel", (2, 8)), ("bias", (8,)))
    }
    return sequential(both), {"w": weights}


def dense3() -> tuple[Any, Weights]:
    def of_keras(class_name: str, name: str, **config: Any) -> dict[str, Any]:
        entry = {"module": "keras.layers", "registered_name": None}
        policy = {"class_name": "DTypePolicy", "config": {"name": "float32"}, "module": "keras"}
        return {**entry, **layer(class_name, name, dtype={**policy, "registered_name": None}, **config)}

    config = {"module": "keras", "registered_name": None} | sequential(
        of_keras("InputLayer", "given", batch_shape=[None, 4]),
        of_keras("Dense", "a", units=3, activation="tanh", use_bias=True),
        of_keras("Dense", "b", units=2, activation="linear", use_bias=True),
    )
    weights = {n: {f"{n}/kernel": s, f"{n}/bias": s[-1:]} for n, s in (("a", (4, 3)), ("b", (3, 2)))}
    return config, weights


def words3() -> tuple[Any, dict[str, str]]:
    """A layer that looks words up, with the vocabulary beside the architecture."""
    config = dense3()[0]
    entry = {"module": "keras.layers", "registered_name": None}
    lookup = {"max_tokens": None, "num_oov_indices": 1, "mask_token": None, "oov_token": "[UNK]"}
    given = layer("InputLayer", "given", batch_shape=[None, 1], dtype="string")
    look = layer(
        "StringLookup", "look", **lookup, output_mode="multi_hot", vocabulary=None, vocabulary_size=3
    )
    config["config"]["layers"][:1] = [{**entry, **given}, {**entry, **look}]
    return config, {"assets/layers/string_lookup/vocabulary.txt": "[UNK]\nred\nfox\n"}


MODELS: dict[str, tuple[Callable[[], tuple[Any, Weights]], str]] = {
    "dense2": (dense2, "2.4.0"),
    "pictures2": (pictures2, "2.2.4-tf"),
    "graph2": (graph2, "2.11.0"),
    "recurrent2": (recurrent2, "2.9.0"),
    "dense3": (dense3, "3.5.0"),
}
STACK = """input = [4]
layers = [{ class = "Dense", units = 3, activation = "relu" }, { class = "Dense", units = 2 }]
"""


def write_listed(group: h5py.Group, weights: Weights, version: str) -> None:
    group.attrs["layer_names"] = [name.encode() for name in weights]
    group.attrs["backend"], group.attrs["keras_version"] = b"tensorflow", version.encode()
    for name, datasets in weights.items():
        below = group.create_group(name)
        below.attrs["weight_names"] = [weight.encode() for weight in datasets]
        for weight, shape in datasets.items():
            below[weight] = np.linspace(-1, 1, int(np.prod(shape)), dtype="f4").reshape(shape)


def write_seeds(folder: Path, corpus: Path | None = None) -> list[Seed]:
    """Write the valid files into ``folder``; small real ones of ``corpus`` are seeds as well."""
    seeds = []
    for name, (make, version) in MODELS.items():
        config, weights = make()
        for libver in ("earliest", "latest"):
            path = folder / f"{name}_{libver}.h5"
            with h5py.File(path, "w", libver=libver) as file:
                file.attrs["model_config"] = json.dumps(config).encode()
                file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", version.encode()
                write_listed(file.create_group("model_weights"), weights, version)
            seeds.append(Seed(path))
    return [*seeds, *_without_architecture(folder), *_archives(folder), *_real(corpus)]


def _archives(folder: Path) -> Iterator[Seed]:
    """Archives of Keras 3: one of numbers, one of words with their vocabulary."""
    for name, (config, assets) in {"stack": (dense3()[0], {}), "words": words3()}.items():
        weights = folder / f"{name}.weights.h5"
        with h5py.File(weights, "w") as file:
            first = 4 if name == "stack" else 3
            for group, shape in (("dense", (first, 3)), ("dense_1", (3, 2))):
                file[f"layers/{group}/vars/0"] = np.ones(shape, "f4")
                file[f"layers/{group}/vars/1"] = np.ones(shape[1], "f4")
            file.create_group("layers/string_lookup/vars").attrs["name"] = "look"
        with zipfile.ZipFile(folder / f"{name}.keras", "w") as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": "3.5.0", "date_saved": ""}))
            archive.writestr("config.json", json.dumps(config))
            archive.write(weights, "model.weights.h5")
            for member, text in assets.items():
                archive.writestr(member, text)
        weights.unlink()
        yield Seed(folder / f"{name}.keras")


def _without_architecture(folder: Path) -> Iterator[Seed]:
    """Weights of one stack, as Keras 2 and 3 and somebody else lay them out."""
    (folder / "stack.toml").write_text(STACK)
    options = ("--architecture", str(folder / "stack.toml"))
    with h5py.File(folder / "listed.h5", "w") as file:
        write_listed(file, dense2()[1], "2.4.0")
    shapes: Sequence[tuple[int, int]] = ((4, 3), (3, 2))
    with h5py.File(folder / "three.weights.h5", "w") as file:
        for name, shape in zip(("dense", "dense_1"), shapes, strict=True):
            file[f"layers/{name}/vars/0"], file[f"layers/{name}/vars/1"] = np.ones(shape), np.ones(shape[1])
    with h5py.File(folder / "raw.h5", "w") as file:
        for number, shape in enumerate(shapes):
            file[f"w{number}"], file[f"b{number}"] = np.ones(shape, "f4"), np.ones(shape[1], "f4")
    for name in ("listed.h5", "three.weights.h5", "raw.h5"):
        yield Seed(folder / name, options)


def _real(corpus: Path | None) -> Iterator[Seed]:
    for path in sorted(corpus.iterdir()) if corpus else ():
        if path.suffix in (".h5", ".hdf5") and path.stat().st_size <= SMALL:
            yield Seed(path)
