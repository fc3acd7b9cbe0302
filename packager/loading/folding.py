"""Batch normalisation that follows a linear layer, folded into that layer's weights.

At inference it multiplies each channel with a number and adds another. The first goes into the kernel before
it, the second into the bias: ``(x·W + b - mean)·scale + beta = x·(W·scale) + shift``.
It is done where the graph of layers says that nothing else reads what lies between the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
import tensorflow as tf

from packager.loading.deferred import set_variable, stored_array, unwrapped
from packager.stored import Array, StoredArray
from packager.values import Binding

_DENSE = ("Dense", "Conv1D", "Conv2D", "Conv3D")
"""Classes whose output channels are the last axis of the kernel."""
_DEPTHWISE = "DepthwiseConv2D"
"""The class whose output channels are its last two axes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """A linear layer, and the batch normalisation after it that can go into its weights."""

    linear: Any
    normalization: Any

    @property
    def folded(self) -> str:
        """The name of the layer that is no more than an addition afterwards, or nothing."""
        return str(self.normalization.name)

    def apply(self) -> None:
        """Change the kernel and the bias; where there is none, the normalisation adds what it would be."""
        layer, normalization = self.linear, self.normalization
        scale, shift = _scale_and_shift(normalization, _bias(layer))
        kernel = _kernel(layer)
        shape = tuple(kernel.shape)
        factors = scale.reshape(shape[-2:] if type(layer).__name__ == _DEPTHWISE else shape[-1:])
        stored = stored_array(kernel)
        if stored is None:
            set_variable(kernel, _scaled(_numbers(kernel), factors))
        else:
            set_variable(kernel, _turned(stored, factors))
        if layer.use_bias:
            set_variable(layer.bias, shift)
            normalization.call = lambda inputs, **_: inputs
        else:
            variable = tf.Variable(shift, trainable=False, name=f"{normalization.name}/shift")
            normalization.call = lambda inputs, **_: tf.nn.bias_add(inputs, variable)


def folds(model: Any, layers: ModuleType) -> Iterator[Fold]:
    """Yield what can be folded in the graph of a model; the classes of its Keras are in ``layers``."""
    linear = {getattr(layers, name) for name in (*_DENSE, _DEPTHWISE)}
    outputs = {id(tensor) for tensor in tf.nest.flatten(model.outputs)}
    for layer in model.layers:
        before = _only_source(layer) if type(layer) is layers.BatchNormalization else None
        if before is None or type(before) not in linear or id(before.output) in outputs:
            continue
        if _is_plain(before, layer):
            yield Fold(linear=before, normalization=layer)


def noted(bindings: Sequence[Binding], done: Sequence[Fold]) -> tuple[Binding, ...]:
    """Return ``bindings`` with what was done to the weights of folded layers beside how they were read."""
    notes = {fold.linear.name: f"scaled by {fold.folded}" for fold in done}
    notes |= {fold.folded: f"folded into {fold.linear.name}" for fold in done}
    found = []
    for binding in bindings:
        note = notes.get(binding.variable.rpartition("/")[0].rpartition("/")[2])
        found.append(replace(binding, transform=f"{binding.transform}, {note}") if note else binding)
    return tuple(found)


def _only_source(layer: Any) -> Any:
    """Return the layer whose one answer goes to ``layer`` alone, and that alone comes in there."""
    nodes = layer._inbound_nodes
    if len(nodes) != 1:
        return None
    given = nodes[0].input_tensors if hasattr(nodes[0], "input_tensors") else nodes[0].keras_inputs
    tensors = tf.nest.flatten(given)
    history = getattr(tensors[0], "_keras_history", None) if len(tensors) == 1 else None
    before = getattr(history, "operation", None) or getattr(history, "layer", None)
    alone = before is not None and len(before._inbound_nodes) == 1 and len(before._outbound_nodes) == 1
    return before if alone else None


def _is_plain(linear: Any, normalization: Any) -> bool:
    """Tell whether both compute in float32, channels last, and nothing lies between them."""
    rank = len(linear.output.shape)
    axis = normalization.axis
    axis = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
    return (
        getattr(linear.activation, "__name__", "") == "linear"
        and getattr(linear, "data_format", "channels_last") == "channels_last"
        and axis in (-1, rank - 1)
        and all(layer.compute_dtype == layer.variable_dtype == "float32" for layer in (linear, normalization))
        and not any(getattr(linear, name, None) for name in ("lora_enabled", "quantization_mode"))
        and not any(getattr(normalization, name, None) for name in ("renorm", "virtual_batch_size"))
        and not any("call" in vars(layer) for layer in (linear, normalization))  # none that was patched
    )


def _scale_and_shift(normalization: Any, bias: Array | float) -> tuple[Array, Array]:
    mean, variance = _numbers(normalization.moving_mean), _numbers(normalization.moving_variance)
    scale = 1 / np.sqrt(variance + normalization.epsilon)
    if normalization.scale:
        scale = scale * _numbers(normalization.gamma)
    shift = (bias - mean) * scale
    if normalization.center:
        shift = shift + _numbers(normalization.beta)
    return scale, shift.astype(np.float32)


def _bias(layer: Any) -> Array | float:
    return _numbers(layer.bias) if layer.use_bias else 0.0


def _kernel(layer: Any) -> Any:
    own = getattr(layer, "depthwise_kernel", None)
    return layer.kernel if own is None else own


def _numbers(variable: Any) -> Array:
    return np.asarray(unwrapped(variable).numpy(), np.float64)


def _scaled(array: Array, factors: Array) -> Array:
    return (array.astype(np.float64) * factors).astype(np.float32)


def _turned(stored: StoredArray, factors: Array) -> StoredArray:
    """Return what will be scaled when it is written."""
    before = stored.turn
    return replace(stored, turn=None).turned(
        lambda array: _scaled(before(array) if before else array, factors),
        shape=stored.shape,
        transform=stored.transform,
    )
