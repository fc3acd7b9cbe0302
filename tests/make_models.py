"""Write the ``.h5`` files that tests convert, each with answers of the model that was saved: ``NAME.npz``.

Run as a program, in a process of its own: ``python make_models.py FOLDER``. The answers come from the model
in memory, before any file was read, so they judge the loading as well as the export.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

MODELS: dict[str, Callable[[], Any]] = {}
BATCH = 4


def model(function: Callable[[], Any]) -> Callable[[], Any]:
    MODELS[function.__name__] = function
    return function


def convolutional(k: Any) -> Any:
    layers = k.layers
    return k.Sequential(
        [
            layers.Input((8, 8, 1), name="image"),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(10, activation="softmax", name="digit"),
        ]
    )


@model
def keras3_digits() -> Any:
    import keras

    built = convolutional(keras)
    built.compile("adam", "sparse_categorical_crossentropy")
    built.fit(np.random.rand(8, 8, 8, 1), np.arange(8), verbose=0)  # optimizer state goes into the file
    return built


@model
def keras2_digits() -> Any:
    import tf_keras

    built = convolutional(tf_keras)
    built.compile("adam", "sparse_categorical_crossentropy")
    built.fit(np.random.rand(8, 8, 8, 1), np.arange(8), verbose=0)
    return built


@model
def keras3_sums() -> Any:
    """Sums of so many numbers that TensorFlow has several threads share each of them."""
    import keras

    return keras.Sequential([keras.layers.Input((4096,), name="numbers"), keras.layers.Dense(1000)])


@model
def keras3_many() -> Any:
    """Two inputs of one shape, two outputs, and names that TensorFlow takes for no scope."""
    import keras

    layers = keras.layers
    left, right = layers.Input((3,), name="left eye"), layers.Input((3,), name="right:eye")
    merged = layers.Concatenate()([layers.Dense(4, name="a dense")(left), right])
    return keras.Model(
        [left, right], [layers.Dense(2, name="where to")(merged), layers.Dense(1, name="9lives")(merged)]
    )


@model
def keras2_many() -> Any:
    import tf_keras

    layers = tf_keras.layers
    left, right = layers.Input((3,), name="left"), layers.Input((3,), name="right")
    merged = layers.Concatenate()([layers.Dense(4, activation="swish")(left), right])
    return tf_keras.Model(
        [left, right], [layers.Dense(2, name="where")(merged), layers.Dense(1, name="lives")(merged)]
    )


@model
def keras2_text() -> Any:
    """An embedding: only whole numbers below 50 are valid, and the length is free."""
    import tf_keras

    layers = tf_keras.layers
    words = layers.Input((None,), name="words")
    return tf_keras.Model(words, layers.Dense(1)(layers.GRU(5)(layers.Embedding(50, 4)(words))))


@model
def keras3_text() -> Any:
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((7,), dtype="int32", name="words"),
            layers.Embedding(50, 4),
            layers.Bidirectional(layers.LSTM(3)),
            layers.Dense(1),
        ]
    )


@model
def keras3_nested() -> Any:
    """A model inside a model, with frozen layers: the file orders trainable weights first."""
    import keras

    layers = keras.layers
    hidden = layers.Dense(3, activation="swish")  # whose gradient TensorFlow would save as a function
    inner = keras.Sequential([layers.Input((4,)), hidden, layers.Dense(2)], name="inner")
    inner.layers[0].trainable = False
    given = layers.Input((4,), name="given")
    return keras.Model(given, layers.Dense(1, name="answer")(inner(given)))


@model
def keras3_named_inputs() -> Any:
    """Inputs as a dict whose order is not the order of their names."""
    import keras

    layers = keras.layers
    given = {"zulu": layers.Input((2,), name="zulu"), "alpha": layers.Input((2,), name="alpha")}
    out = layers.Subtract(name="difference")([given["zulu"], layers.Dense(2)(given["alpha"])])
    return keras.Model(given, out)


def requests(built: Any) -> dict[str, Any]:
    random = np.random.RandomState(7)
    arrays = {}
    for tensor in built.inputs:
        shape = (BATCH, *(6 if d is None else d for d in tensor.shape[1:]))
        name = tensor.name.split("/")[0]
        whole = "words" in name
        arrays[name] = (
            random.randint(0, 50, shape).astype(np.int32) if whole else random.rand(*shape).astype("f4")
        )
    return arrays


def main(folder: Path) -> None:
    for name, make in MODELS.items():
        np.random.seed(0)
        built = make()
        given = requests(built)
        structured = (
            given if isinstance(getattr(built, "_inputs_struct", None), dict) else list(given.values())
        )
        answers = built(structured, training=False)
        answers = answers if isinstance(answers, (list, tuple)) else [answers]
        built.save(folder / f"{name}.h5")
        arrays = {f"in/{key}": value for key, value in given.items()}
        arrays |= {f"out/{i}": np.asarray(value) for i, value in enumerate(answers)}
        np.savez(folder / f"{name}.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
