"""Makes the SavedModels that ``bench_serving`` serves: ``python bench_models.py DIR NAME``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf


def half_plus_two() -> tuple[Any, list[int]]:
    half, two = tf.Variable(0.5), tf.Variable(2.0)
    return (lambda x: x * half + two), [1]


def wide() -> tuple[Any, list[int]]:
    """Make a model that takes as much as ResNet50 and does next to nothing: what is left is the transport."""
    return (lambda x: tf.reduce_mean(x, [1, 2, 3])), [224, 224, 3]


def mlp() -> tuple[Any, list[int]]:
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((784,)), *(layers.Dense(512, "relu") for _ in range(2)), layers.Dense(10, "softmax")]
    )
    return (lambda x: model(x, training=False)), [784]


def resnet50() -> tuple[Any, list[int]]:
    model = keras.applications.ResNet50(weights=None)
    return (lambda x: model(x, training=False)), [224, 224, 3]


def save(name: str, folder: Path) -> None:
    """Save the model with one input ``x`` and one output ``y``."""
    makers = {"half_plus_two": half_plus_two, "wide": wide, "mlp": mlp, "resnet50": resnet50}
    call, shape = makers[name]()
    module = tf.Module()
    module.call = tf.function(
        lambda x: {"y": call(x)}, input_signature=[tf.TensorSpec([None, *shape], tf.float32, "x")]
    )
    # What is not tracked is not saved
    module.kept = module.call.get_concrete_function().graph.variables
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.call})


if __name__ == "__main__":
    save(sys.argv[2], Path(sys.argv[1]) / sys.argv[2] / "1")
