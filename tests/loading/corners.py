"""A layer whose code looks into corners of TensorFlow and Keras that a conversion leaves unloaded."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
import tensorflow.compat.v1 as tf1
from tensorflow import raw_ops
from tensorflow.keras import backend
from tensorflow.math import *  # noqa: F403

try:
    from sklearn.base import BaseEstimator
except ImportError:  # it is not among what packager needs
    BaseEstimator = object


class Weigher(BaseEstimator):
    """What a user might have around."""


@keras.saving.register_keras_serializable("corners")
class Corners(keras.layers.Layer):
    def call(self, pictures: Any) -> Any:
        turned = tf.image.rot90(tf.image.adjust_brightness(pictures, 0.5))
        spectrum = tf.abs(tf.signal.rfft2d(tf.squeeze(turned, -1)))
        summed = raw_ops.AddV2(x=tf.reduce_mean(spectrum, [1, 2]), y=tf1.reduce_sum(pictures, [1, 2, 3]))
        ragged = tf.RaggedTensor.from_tensor(tf.expand_dims(summed, -1)).to_tensor()
        norms = tf.linalg.norm(tf.strings.to_number(tf.strings.as_string(ragged)), axis=-1, keepdims=True)
        return multiply(norms, tf1.nn.softmax(tf.constant([[1.0, 2.0]]))) + backend.epsilon()  # noqa: F405

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], 2)
