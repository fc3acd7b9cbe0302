"""Write the models whose signatures are tested: ``python make_signature_models.py FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np


def image_classifier() -> Any:
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((16, 16, 3), name="input_1"),
            layers.Conv2D(4, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(3, name="logits"),
        ]
    )


def table() -> Any:
    """Two inputs of one shape and dtype: a row of measurements and a row of one-hot colours."""
    import tf_keras

    layers = tf_keras.layers
    body, colour = layers.Input((3,), name="body"), layers.Input((3,), name="colour")
    both = layers.Concatenate()([layers.Dense(4, activation="tanh")(body), colour])
    return tf_keras.Model([body, colour], layers.Dense(1, activation="sigmoid", name="risk")(both))


def text() -> Any:
    import keras

    layers = keras.layers
    words = layers.Input((5,), dtype="int32", name="words")
    vectors = layers.Embedding(6, 3)(words)
    return keras.Model(words, layers.Dense(2, activation="softmax", name="mood")(layers.LSTM(4)(vectors)))


def several_outputs() -> Any:
    import keras

    layers = keras.layers
    given = layers.Input((4,), name="given")
    return keras.Model(
        given,
        [
            layers.Dense(4, activation="softmax", name="kind")(given),
            layers.Dense(1, activation="sigmoid", name="alarm")(given),
            layers.Dense(2, name="place")(given),
        ],
    )


def stateful() -> Any:
    """A recurrent layer that keeps its state from one request to the next; its batch is fixed."""
    import tf_keras

    layers = tf_keras.layers
    steps = layers.Input(batch_shape=(1, 4, 2), name="steps")
    return tf_keras.Model(steps, layers.Dense(1, name="next")(layers.LSTM(3, stateful=True)(steps)))


MODELS = (image_classifier, table, text, several_outputs, stateful)


def main(folder: Path) -> None:
    for number, make in enumerate(MODELS):
        np.random.seed(number)
        make().save(folder / f"{make.__name__}.h5")
    with h5py.File(folder / "table.h5", "a") as file:
        file["scaler/mean"] = np.array([170.0, 70.0, 40.0])
    np.savez(folder / "statistics.npz", deviation=np.array([10.0, 15.0, 20.0], np.float32))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
