"""Write models that are easily rebuilt wrongly, with their own answers: ``NAME.h5`` and ``NAME.npz``.

Run as a program: ``make_traps.py keras|tf_keras FOLDER``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

LIBRARY = sys.argv[1]
keras = importlib.import_module(LIBRARY)
L = keras.layers
KERAS3 = LIBRARY == "keras"
RANDOM = np.random.RandomState(5)
MODELS: dict[str, Callable[[], Any]] = {}
WORDS = np.array(["one", "two words", "three", "unheard"], object)


def model(function: Callable[[], Any]) -> Callable[[], Any]:
    MODELS[function.__name__] = function
    return function


def stack(*layers: Any) -> Any:
    return keras.Sequential(list(layers))


def squash(x: Any) -> Any:
    return x / (1 + tf.abs(x))


@model
def operations() -> Any:
    """Nodes that are functions: with other arguments than tensors, and with names that layers have too."""
    a = L.Input((4, 6), name="a")
    if KERAS3:
        ops, part = keras.ops, a[:, 1:, :3]
        both = ops.concatenate([part, part], axis=-1)
        total = ops.expand_dims(ops.sum(both, axis=1), 1)
        x = ops.relu(ops.matmul(total, ops.transpose(both, (0, 2, 1))))
        x = ops.softmax(ops.squeeze(x / 2.0 + 1 - ops.sqrt(ops.abs(x)), 1))
        return keras.Model(a, [L.Dense(2)(ops.clip(x, 0.1, 0.9)), L.Dense(1)(ops.mean(a, axis=1))])
    both = tf.concat([a[:, 1:, :3], a[:, 1:, :3]], -1)
    total = tf.expand_dims(tf.reduce_sum(both, 1), 1)
    x = tf.nn.relu(tf.matmul(total, both, transpose_b=True))
    x = tf.nn.softmax(tf.squeeze(x / 2.0 + 1 - tf.sqrt(tf.abs(x)), 1))
    return keras.Model(a, [L.Dense(2)(tf.clip_by_value(x, 0.1, 0.9)), L.Dense(1)(tf.reduce_mean(a, 1))])


@model
def compiled() -> Any:
    """A loss by its short name, metrics, and a legacy optimizer where there is one."""
    built = stack(L.Input((4,)), L.Dense(3, activation="swish"), L.Dense(1))
    built.compile("adam" if KERAS3 else keras.optimizers.legacy.Adam(), loss="mse", metrics=["mae"])
    built.fit(np.ones((4, 4)), np.ones((4, 1)), verbose=0)
    return built


@model
def nested() -> Any:
    """A model called twice, in a frozen one: weights are listed with the trainable ones first."""
    given = L.Input((4,))
    inner = keras.Model(given, L.Dense(3, activation="relu")(L.BatchNormalization()(L.Dense(5)(given))))
    inner.layers[1].trainable = False
    a, b = L.Input((4,), name="a"), L.Input((4,), name="b")
    return keras.Model([a, b], L.Dense(1)(L.Concatenate()([inner(a), inner(b)])))


@model
def recurrent() -> Any:
    return stack(
        L.Input((5, 3)),
        L.GRU(4, return_sequences=True),
        L.Bidirectional(L.GRU(3, reset_after=False, return_sequences=True)),
        L.LSTM(4, recurrent_activation="hard_sigmoid"),
        L.Dense(3, activation="hard_sigmoid"),
    )


@model
def attention() -> Any:
    a = L.Input((5, 8), name="a")
    x = L.LayerNormalization()(L.MultiHeadAttention(2, 4)(a, a) + a)
    return keras.Model(a, L.Dense(2)(L.GlobalMaxPooling1D()(L.Attention()([x, a]))))


@model
def steps() -> Any:
    """A model for each step of any number of them, and for a known number."""

    def each() -> Any:
        given = L.Input((4, 4, 2))
        return keras.Model(given, L.Dense(3, activation="tanh")(L.Flatten()(L.Conv2D(2, 3)(given))))

    known, any_number = L.Input((3, 4, 4, 2), name="known"), L.Input((None, 4, 4, 2), name="any_number")
    a, b = L.TimeDistributed(each())(known), L.TimeDistributed(each())(any_number)
    return keras.Model([known, any_number], [L.LSTM(2)(a), L.TimeDistributed(L.Dense(2))(b)])


@model
def normalized() -> Any:
    layer = L.Normalization()
    layer.adapt(RANDOM.rand(50, 3).astype("f4") * 10)
    return stack(L.Input((3,)), layer, L.Normalization(mean=[1.0, 2, 3], variance=[1.0, 4, 9]), L.Dense(2))


@model
def mixed_precision() -> Any:
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        hidden = [L.Input((4,)), L.Dense(8, activation="relu"), L.BatchNormalization()]
        return stack(*hidden, L.Dense(2, dtype="float32"))
    finally:
        keras.mixed_precision.set_global_policy("float32")


@model
def channels_first() -> Any:
    return stack(
        L.Input((3, 8, 8)),
        L.Conv2D(4, 3, data_format="channels_first", activation="relu"),
        L.BatchNormalization(axis=1),
        L.MaxPooling2D(data_format="channels_first"),
        L.Conv2DTranspose(2, 3, strides=2, padding="same", data_format="channels_first"),
        L.Flatten(),
        L.Dense(2),
    )


@model
def channels_first_1d() -> Any:
    return stack(
        L.Input((3, 12)),
        L.Conv1D(4, 3, padding="same", strides=2, data_format="channels_first"),
        L.MaxPooling1D(data_format="channels_first"),
        L.Flatten(),
    )


@model
def custom_activation() -> Any:
    return stack(L.Input((4,)), L.Dense(3, activation=squash), L.Activation(squash))


@model
def words_given() -> Any:
    text = L.Input((1,), dtype="string", name="text")
    layer = L.TextVectorization(vocabulary=["one", "two", "words"], output_sequence_length=5)
    return keras.Model(text, L.Dense(1)(L.GlobalAveragePooling1D()(L.Embedding(9, 3)(layer(text)))))


@model
def lookups() -> Any:
    text, number = L.Input((3,), dtype="string", name="text"), L.Input((3,), dtype="int64", name="number")
    a = L.Embedding(9, 2)(L.StringLookup(vocabulary=["one", "two words"])(text))
    b = L.Embedding(9, 2)(L.IntegerLookup(vocabulary=[3, 5, 7])(number))
    return keras.Model([text, number], L.Dense(1)(L.Flatten()(L.Concatenate()([a, b]))))


@model
def words_lost() -> Any:
    """Only Keras 3 writes such an HDF5 file; tf_keras refuses."""
    layer = L.TextVectorization(max_tokens=20, output_sequence_length=5, name="words")
    layer.adapt(tf.constant(["one two words three", "more words"]))
    (Path(sys.argv[2]) / "words.txt").write_text("\n".join(layer.get_vocabulary()) + "\n", encoding="utf-8")
    text = L.Input((1,), dtype="string", name="text")
    return keras.Model(text, L.Dense(1)(L.GlobalAveragePooling1D()(L.Embedding(20, 3)(layer(text)))))


@model
def no_weights() -> Any:
    return stack(L.Input((4, 4, 3)), L.Rescaling(1 / 255, offset=-0.5), L.Flatten())


def randomized(built: Any) -> Any:
    for variable in built.trainable_variables:
        low = 0.3 if len(variable.shape) == 1 else -0.6
        variable.assign(RANDOM.uniform(low, 0.8, tuple(variable.shape)).astype("f4"))
    return built


def question(tensor: Any) -> Any:
    shape, dtype = (
        (4, *(6 if n is None else n for n in tensor.shape[1:])),
        str(getattr(tensor.dtype, "name", tensor.dtype)),
    )
    if dtype == "string":
        return WORDS[RANDOM.randint(0, len(WORDS), shape)]
    return RANDOM.randint(0, 9, shape).astype(dtype) if "int" in dtype else RANDOM.rand(*shape).astype("f4")


def main(folder: Path) -> None:
    for name, make in MODELS.items():
        keras.backend.clear_session()
        built = randomized(make())
        given = [question(tensor) for tensor in built.inputs]
        tensors = [tf.constant(array) for array in given]
        answers = tf.nest.flatten(built(tensors if len(tensors) > 1 else tensors[0], training=False))
        built.save(folder / f"{name}.keras")
        if KERAS3 or name != "words_lost":
            built.save(folder / f"{name}.h5")
        arrays = {f"in/{i}": array for i, array in enumerate(given)}
        arrays |= {f"out/{i}": np.asarray(value) for i, value in enumerate(answers)}
        np.savez(folder / f"{name}.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[2]))
