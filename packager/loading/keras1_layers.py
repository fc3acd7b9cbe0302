"""Layers of Keras 1 that Keras 2 dropped, computing what they computed (keras/layers of release 1.2.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers


class Highway(layers.Layer):  # type: ignore[misc]
    """Mixes an activation of its input with the input itself."""

    def __init__(self, activation: str = "linear", use_bias: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self._activation, self._use_bias = tf_keras.activations.get(activation), use_bias

    def build(self, shape: Any) -> None:
        """Make the weights in the order of Keras 1."""
        size = int(shape[-1])
        self.kernel, self.carry = (self.add_weight(n, (size, size)) for n in ("kernel", "kernel_carry"))
        if self._use_bias:
            self.bias, self.carry_bias = (self.add_weight(n, (size,)) for n in ("bias", "bias_carry"))
        super().build(shape)

    def call(self, inputs: Any) -> Any:
        """Answer for a batch."""
        gate, value = inputs @ self.carry, inputs @ self.kernel
        if self._use_bias:
            gate, value = gate + self.carry_bias, value + self.bias
        gate = tf.sigmoid(gate)
        return self._activation(value) * gate + (1 - gate) * inputs


class MaxoutDense(layers.Layer):  # type: ignore[misc]
    """Gives the largest of several linear layers."""

    def __init__(self, units: int, pieces: int, use_bias: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self._units, self._pieces, self._use_bias = units, pieces, use_bias

    def build(self, shape: Any) -> None:
        """Make the weights in the order of Keras 1."""
        self.kernel = self.add_weight("kernel", (self._pieces, int(shape[-1]), self._units))
        if self._use_bias:
            self.bias = self.add_weight("bias", (self._pieces, self._units))
        super().build(shape)

    def call(self, inputs: Any) -> Any:
        """Answer for a batch."""
        pieces = tf.einsum("bi,pio->bpo", inputs, self.kernel)
        return tf.reduce_max(pieces + self.bias if self._use_bias else pieces, axis=1)


class _Activation(layers.Layer):  # type: ignore[misc]
    """An activation with learnt numbers, one for each place in its input but along ``shared_axes``."""

    names: tuple[str, ...]
    """Of the weights, in the order of Keras 1."""

    def __init__(self, shared_axes: Sequence[int] = (), **options: Any) -> None:
        super().__init__(**options)
        self._shared_axes = shared_axes

    def build(self, shape: Any) -> None:
        """Make the weights."""
        sizes = [1 if axis in self._shared_axes else size for axis, size in enumerate(shape)][1:]
        self.learnt = [self.add_weight(name, sizes) for name in self.names]
        super().build(shape)


class ParametricSoftplus(_Activation):
    """``alpha * softplus(beta * x)``."""

    names = ("alphas", "betas")

    def call(self, inputs: Any) -> Any:
        """Answer for a batch."""
        alpha, beta = self.learnt
        return tf.math.softplus(beta * inputs) * alpha


class SReLU(_Activation):
    """Linear in three pieces, with learnt ends and slopes.

    On Theano the width of the middle piece bounded the left one as well, where its slope was negative
    (``relu`` in keras/backend).
    """

    names = ("t_left", "a_left", "t_right", "a_right")

    def __init__(self, bounded: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._bounded = bounded

    def call(self, inputs: Any) -> Any:
        """Answer for a batch."""
        t_left, a_left, t_right, a_right = self.learnt
        beyond, width = inputs - t_left, tf.abs(t_right)
        left = a_left * beyond
        left = tf.minimum(left, width) if self._bounded else left
        right = a_right * tf.nn.relu(beyond - width)
        return t_left + tf.where(beyond > 0, tf.minimum(beyond, width), left) + right


class SampleNormalization(layers.Layer):  # type: ignore[misc]
    """BatchNormalization with ``mode=1``: every sample by its own mean and deviation, in the last axis."""

    def __init__(self, epsilon: float, **options: Any) -> None:
        super().__init__(**options)
        self._epsilon = epsilon

    def build(self, shape: Any) -> None:
        """Make the weights in the order of Keras 1, which kept two that this mode does not read."""
        names = ("gamma", "beta", "running_mean", "running_std")
        self.gamma, self.beta, *_ = self._kept = [self.add_weight(n, shape[-1:]) for n in names]
        super().build(shape)

    def call(self, inputs: Any) -> Any:
        """Answer for a batch."""
        mean, variance = tf.nn.moments(inputs, axes=[-1], keepdims=True)
        deviation = tf.sqrt(variance + self._epsilon)
        return self.gamma * (inputs - mean) / (deviation + self._epsilon) + self.beta


class CosineMerge(layers.Dot):  # type: ignore[misc]
    """The cosine of two inputs, with the axis more that Keras 1 gave it."""

    def call(self, inputs: Any) -> Any:
        """Answer for a batch."""
        return tf.expand_dims(super().call(inputs), 1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape with its further axis."""
        first, *rest = super().compute_output_shape(input_shape)
        return (first, 1, *rest)


CLASSES: Mapping[str, Any] = {
    cls.__name__: cls
    for cls in (Highway, MaxoutDense, ParametricSoftplus, SReLU, SampleNormalization, CosineMerge)
}
"""By the names that an upgraded architecture uses."""

_TODAYS_GATES = (0, 2, 1, 3)
"""Keras 1 kept the gates of a ConvLSTM2D in the order input, cell, forget, output."""


def arrange(layer: Any, arrays: Sequence[Any]) -> list[Any]:
    """Put the weights of a layer into today's order where tf_keras does not know that of Keras 1."""
    arrays = list(arrays)
    kind = type(layer).__name__
    if kind == "Highway" and len(arrays) == 4 and arrays[1].ndim == 1:  # before 1.2: each bias by its kernel
        return [arrays[0], arrays[2], arrays[1], arrays[3]]
    if kind == "SeparableConv2D" and layer.data_format == "channels_first":
        return [np.transpose(a, (2, 3, 1, 0)) if a.ndim == 4 else a for a in arrays]
    if kind == "ConvLSTM2D" and len(arrays) == 12:
        if layer.data_format == "channels_first":
            arrays = [np.transpose(a, (2, 3, 1, 0)) if a.ndim == 4 else a for a in arrays]
        return [
            np.concatenate([arrays[3 * gate + part] for gate in _TODAYS_GATES], axis=-1) for part in range(3)
        ]
    return arrays
