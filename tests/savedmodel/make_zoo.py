"""Write ``.h5`` files whose models or datasets are special: ``python make_zoo.py keras|tf_keras FOLDER``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

MODELS: dict[str, Callable[[Any], Any]] = {}


def model(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    MODELS[function.__name__] = function
    return function


@model
def normalized(k: Any) -> Any:
    """Normalization computes what it needs when it is built, before the file is read."""
    layer = k.layers.Normalization()
    layer.adapt(np.random.RandomState(1).normal(5, 3, (100, 6)).astype("f4"))
    inner = k.layers.Normalization()
    inner.adapt(np.random.RandomState(2).normal(-2, 2, (100, 4)).astype("f4"))
    nested = k.Sequential([k.layers.Input((4,)), inner, k.layers.Dense(3)], name="nested")
    return k.Sequential([k.layers.Input((6,)), layer, k.layers.Dense(4), nested])


@model
def augmented(k: Any) -> Any:
    layers = k.layers
    return k.Sequential(
        [
            layers.Input((8, 8, 3)),
            *(layers.RandomFlip(), layers.RandomRotation(0.2), layers.RandomZoom(0.2)),
            *(layers.RandomContrast(0.3), layers.GaussianNoise(0.5), layers.Dropout(0.5)),
            *(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(3)),
        ]
    )


@model
def mixed(k: Any) -> Any:
    """Variables of float32 that the layers read as float16."""
    k.mixed_precision.set_global_policy("mixed_float16")
    try:
        layers = k.layers
        built = k.Sequential(
            [layers.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(2, dtype="float32")]
        )
    finally:
        k.mixed_precision.set_global_policy("float32")
    return built


@model
def half(k: Any) -> Any:
    """Variables of float16."""
    layers = k.layers
    return k.Sequential([layers.Input((6,), dtype="float16"), layers.Dense(8, dtype="float16")])


@model
def shared(k: Any) -> Any:
    """One layer and one model at two places each."""
    layers = k.layers
    left, right = layers.Input((4,), name="left"), layers.Input((4,), name="right")
    dense = layers.Dense(4, name="dense")
    inner = k.Sequential([layers.Input((4,)), layers.Dense(3), layers.Dense(2)], name="inner")
    return k.Model([left, right], layers.Add()([inner(dense(left)), inner(dense(dense(right)))]))


@model
def recurrent(k: Any) -> Any:
    layers = k.layers
    given = layers.Input((5, 4), name="given")
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(given)
    x = layers.GRU(3, return_sequences=True)(x)
    return k.Model(given, layers.Dense(2)(layers.SimpleRNN(3)(x)))


@model
def recurrent_images(k: Any) -> Any:
    layers = k.layers
    return k.Sequential(
        [layers.Input((3, 6, 6, 2)), layers.ConvLSTM2D(2, 3), layers.Flatten(), layers.Dense(2)]
    )


@model
def looked_up(k: Any) -> Any:
    """A lookup table, which only TensorFlow's own builder can write."""
    layers = k.layers
    given = layers.Input((4,), dtype="int64", name="codes")
    codes = layers.IntegerLookup(vocabulary=[3, 5, 7, 11], name="lookup")(given)
    return k.Model(given, layers.Dense(2)(layers.GlobalAveragePooling1D()(layers.Embedding(6, 3)(codes))))


@model
def attentive(k: Any) -> Any:
    layers = k.layers
    given = layers.Input((5, 8), name="given")
    x = layers.LayerNormalization()(layers.Add()([given, layers.MultiHeadAttention(2, 4)(given, given)]))
    return k.Model(given, layers.SeparableConv1D(3, 2)(x))


def datasets(group: h5py.Group) -> list[str]:
    """Return the paths of all arrays in a group."""
    paths: list[str] = []
    group.visititems(lambda path, item: paths.append(path) if getattr(item, "shape", ()) else None)
    return paths


def stored_otherwise(source: Path, folder: Path) -> None:
    """Keep the weights of one model in every way that HDF5 knows."""
    ways: dict[str, Callable[[Any], dict[str, Any]]] = {
        "chunked": lambda a: {"data": a, "chunks": tuple(max(1, n // 2) for n in a.shape)},
        "compressed": lambda a: {"data": a, "compression": "gzip", "shuffle": True},
        "big_endian": lambda a: {"data": a.astype(">f4")},
        "float16": lambda a: {"data": a.astype("f2")},
        "float64": lambda a: {"data": a.astype("f8")},
    }
    for name, way in ways.items():
        target = folder / f"stored_{name}.h5"
        target.write_bytes(source.read_bytes())
        with h5py.File(target, "r+") as file:
            paths = datasets(file["model_weights"])
            for path in paths:
                array = file["model_weights"][path][()]
                del file["model_weights"][path]
                file["model_weights"].create_dataset(path, **way(array))


def main(library: str, folder: Path) -> None:
    k = importlib.import_module(library)
    for name, make in MODELS.items():
        k.utils.set_random_seed(3)
        make(k).save(folder / f"{name}.h5")
    stored_otherwise(folder / "attentive.h5", folder)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
