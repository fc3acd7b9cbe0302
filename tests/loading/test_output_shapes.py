"""Layers that are asked for their output's shape tell the same as a graph of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.tensorflow


def _images(keras: Any) -> Any:
    """Convolutions of all paddings and strides, over images of a size that is left open in part."""
    layers = keras.layers
    x = image = layers.Input((None, 65, 3), name="image")
    for place, options in enumerate(
        [
            {"padding": "same", "strides": 2, "activation": "relu"},
            {"padding": "valid", "dilation_rate": 2, "use_bias": False},
            {"padding": "same", "groups": 2, "activation": keras.activations.swish},
        ]
    ):
        x = layers.Conv2D(4 + 2 * place, (3, 2), **options)(x)
        x = layers.BatchNormalization()(x)
    x = layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2)(x)
    y = layers.Add()([layers.ReLU(6.0)(x), layers.Activation("tanh")(x)])
    one = layers.Dense(5, activation="softmax")(layers.Dropout(0.5)(y))
    return keras.Model(image, [one, layers.GlobalAveragePooling2D()(y)])


def _texts(keras: Any) -> Any:
    """Masks, layers that are shared, activations that are no layer's, and a mean for each row."""
    layers = keras.layers
    words = layers.Input((None,), dtype="int32", name="words")
    shared = layers.Dense(6, activation="gelu")
    x = layers.Embedding(10, 6, mask_zero=True)(words)
    x = shared(shared(x))
    x = layers.Add()([x, layers.Activation("log_softmax")(x)])
    x = layers.Conv1D(3, 2, padding="causal")(x)
    x = layers.LSTM(4)(layers.Dropout(0.1)(x))
    rows = layers.Input((4,), batch_size=7, dtype="float64", name="rows")
    y = layers.Dense(4, activity_regularizer="l2")(rows)
    return keras.Model([words, rows], [x, layers.Add()([layers.BatchNormalization()(y), rows])])


def _half(keras: Any) -> Any:
    layers = keras.layers
    x = image = layers.Input((8, 8, 2))
    x = layers.BatchNormalization(dtype="float32")(layers.Conv2D(3, 3, dtype="mixed_float16")(x))
    x = layers.Dense(2, dtype="mixed_bfloat16")(layers.ReLU(dtype="float64")(x))
    return keras.Model(image, layers.Add(dtype="float32")([x, x]))


@pytest.mark.parametrize("make", [_images, _texts, _half])
def test_shapes_types_and_names_are_those_of_a_graph(make: Callable[[Any], Any]) -> None:
    import tf_keras

    from packager.loading import keras2

    model = make(tf_keras)
    config = {"class_name": "Functional", "config": model.get_config()}
    rebuilt = keras2.build(config, {})
    assert [_told(layer) for layer in rebuilt.layers] == [_told(layer) for layer in model.layers]
    assert [v.name for v in rebuilt.variables] == [v.name for v in model.variables]
    assert rebuilt.output_names == model.output_names


def _told(layer: Any) -> Any:
    import tensorflow as tf

    return [
        [(x.shape.as_list(), x.dtype, getattr(x, "_keras_mask", None) is not None) for x in tensors]
        for node in layer._inbound_nodes
        for tensors in (tf.nest.flatten(node.input_tensors), tf.nest.flatten(node.outputs))
    ]


@pytest.mark.parametrize("layer", ["Conv2D", "DepthwiseConv2D"])
def test_an_image_that_is_too_small_is_refused_as_ever(layer: str) -> None:
    import tf_keras

    from packager.loading import keras2

    options = {"filters": 2} if layer == "Conv2D" else {}
    config = tf_keras.Sequential(
        [tf_keras.layers.Input((9, 9, 1)), getattr(tf_keras.layers, layer)(kernel_size=5, **options)]
    ).get_config()
    config["layers"][0]["config"]["batch_input_shape"] = (None, 3, 3, 1)
    with pytest.raises(ValueError, match=r"One of the dimensions in the output is <= 0|Negative dimension"):
        keras2.build({"class_name": "Sequential", "config": config}, {})
