"""Write models as TensorFlow.js tells them, in HDF5: ``NAME.h5``, and ``NAME.npz`` with their own answers.

They are made by tf_keras, which computes what TensorFlow.js does; then the file is told in the words of
tfjs-layers (src/keras_format and src/layers of its repository): initializers by their general classes, no
arguments that JavaScript has not, weights without ``:0``. Run as a program: ``make_tfjs.py FOLDER``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf
import tf_keras as keras

L = keras.layers
RANDOM = np.random.RandomState(11)
VERSION, BACKEND = "tfjs-layers 1.7.4", "tensor_flow.js"
UNKNOWN = (
    *("module", "registered_name", "build_config", "groups", "ragged", "time_major", "reset_after"),
    *("zero_output_for_mask", "name_scope", "synchronized", "output_mode"),
)
SCALED = {"GlorotUniform": ("fan_avg", "uniform"), "GlorotNormal": ("fan_avg", "normal")}


def pictures() -> Any:
    return keras.Sequential(
        [
            L.Conv2D(4, 3, activation="relu", input_shape=(8, 8, 3), name="conv2d_Conv2D1"),
            L.BatchNormalization(name="batch_normalization_BatchNormalization1"),
            L.DepthwiseConv2D(3, padding="same", name="depthwise_conv2d_DepthwiseConv2D1"),
            L.SeparableConv2D(5, 3, strides=2, activation="relu6", name="separable_conv2d_SeparableConv2D1"),
            L.UpSampling2D(name="up_sampling2d_UpSampling2D1"),
            L.Conv2DTranspose(3, 2, activation="hard_sigmoid", name="conv2d_transpose_Conv2DTranspose1"),
            L.GlobalAveragePooling2D(name="global_average_pooling2d_GlobalAveragePooling2D1"),
            L.Dropout(0.25, name="dropout_Dropout1"),
            L.Dense(3, activation="softmax", name="dense_Dense1"),
        ]
    )


def sequences() -> Any:
    """A GRU of TensorFlow.js has one variant, which nothing in the file tells."""
    gates = {"recurrent_activation": "hard_sigmoid", "return_sequences": True}
    return keras.Sequential(
        [
            L.Embedding(9, 4, input_length=5, name="embedding_Embedding1"),
            L.GRU(4, reset_after=False, **gates, name="gru_GRU1"),
            L.Bidirectional(L.LSTM(3, **gates, name="lstm_LSTM1"), name="bidirectional_Bidirectional1"),
            L.TimeDistributed(L.Dense(4, activation="elu", name="dense_Dense1"), name="time_distributed_1"),
            L.SimpleRNN(3, name="simple_rnn_SimpleRNN1"),
        ]
    )


def branches() -> Any:
    a, b = L.Input((6,), name="input1"), L.Input((6,), name="input2")
    dense = L.Dense(4, name="dense_Dense1")
    left, right = (
        L.LeakyReLU(0.2, name="leaky_re_lu_LeakyReLU1")(dense(a)),
        L.PReLU(name="prelu_PReLU1")(dense(b)),
    )
    joined = L.Concatenate(name="concatenate_Concatenate1")([left, L.Add(name="add_Add1")([left, right])])
    normal = L.LayerNormalization(name="layer_normalization_LayerNormalization1")(joined)
    outputs = [L.Dense(2, "sigmoid", name="dense_Dense2")(normal), L.Dense(1, name="dense_Dense3")(joined)]
    return keras.Model([a, b], outputs)


def told_by_tfjs(node: Any) -> Any:
    """Tell a part of a configuration in the words of tfjs-layers."""
    if isinstance(node, list):
        return [told_by_tfjs(value) for value in node]
    if not isinstance(node, Mapping):
        return node
    if node.get("class_name") in SCALED:
        mode, distribution = SCALED[node["class_name"]]
        scaled = {"scale": 1, "mode": mode, "distribution": distribution, "seed": None}
        return {"class_name": "VarianceScaling", "config": scaled}
    done = {key: told_by_tfjs(value) for key, value in node.items() if key not in UNKNOWN}
    if done.get("class_name") == "BatchNormalization":
        done["config"]["axis"] = -1
    if done.get("class_name") not in (None, "InputLayer") and isinstance(done.get("config"), dict):
        done["config"].pop("dtype", None)
    return done


def configuration(model: Any) -> dict[str, Any]:
    if isinstance(model, keras.Sequential):  # as a list, and the first layer tells the shape of its input
        layers = [layer for layer in model.get_config()["layers"] if layer["class_name"] != "InputLayer"]
        return {"class_name": "Sequential", "config": told_by_tfjs(layers)}
    return {"class_name": "Model", "config": told_by_tfjs(model.get_config())}


def rewrite(path: Path, config: Mapping[str, Any]) -> None:
    told = {**config, "keras_version": VERSION, "backend": BACKEND}
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps(told)
        for place in (file, file["model_weights"]):
            place.attrs["keras_version"], place.attrs["backend"] = VERSION, BACKEND
        for group in file["model_weights"].values():
            names = [
                name.decode() if isinstance(name, bytes) else name for name in group.attrs["weight_names"]
            ]
            for name in names:
                group.move(name, name.removesuffix(":0"))
            group.attrs["weight_names"] = [name.removesuffix(":0") for name in names]


def main(folder: Path) -> None:
    makers: tuple[Callable[[], Any], ...] = (pictures, sequences, branches)
    for make in makers:
        keras.backend.clear_session()
        model = make()
        model.set_weights([RANDOM.uniform(0.1, 0.8, w.shape).astype("f4") for w in model.get_weights()])
        given = [RANDOM.rand(4, *tensor.shape[1:]).astype("f4") for tensor in model.inputs]
        if make is sequences:
            given = [RANDOM.randint(0, 9, (4, 5)).astype("f4")]
        answers = tf.nest.flatten(model(given if len(given) > 1 else given[0], training=False))
        path = folder / f"{make.__name__}.h5"
        model.save(path)
        rewrite(path, configuration(model))
        arrays = {f"inputs/{name}": array for name, array in zip(model.input_names, given, strict=True)}
        for name, answer in zip(model.output_names, answers, strict=True):
            arrays[f"outputs/{name}"] = np.asarray(answer)
        np.savez(path.with_suffix(".npz"), **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
