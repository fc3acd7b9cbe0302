"""Layers of tf_keras with their channels first, which TensorFlow computes on GPUs only.

Convolutions and poolings "currently only support NHWC" on a CPU (its own words); a layer answers the
same with its input and output transposed, for its kernel has one layout.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

_CLASSES = frozenset(
    f"{kind}{rank}D{transposed}"
    for kind, transposed in (
        ("Conv", ""),
        ("Conv", "Transpose"),
        ("SeparableConv", ""),
        ("MaxPooling", ""),
        ("AveragePooling", ""),
    )
    for rank in (1, 2, 3)
)


def compute_channels_last(model: Any) -> None:
    """Let the layers of ``model`` that have their channels first compute with channels last."""
    for layer in model._flatten_layers():
        if type(layer).__name__ in _CLASSES and layer.data_format == "channels_first":
            layer.data_format = "channels_last"
            if hasattr(layer, "_tf_data_format"):
                rank = layer.input_spec.min_ndim or layer.input_spec.ndim
                layer._tf_data_format = {3: "NWC", 4: "NHWC", 5: "NDHWC"}[rank]
                layer._channels_first = False
            layer.call = _transposed(layer.call)


def _transposed(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def turned(inputs: Any) -> Any:
        rank = len(inputs.shape)
        last = (0, *range(2, rank), 1)
        first = (0, rank - 1, *range(1, rank - 1))
        return tf.transpose(call(tf.transpose(inputs, last)), first)

    return turned
