"""TimeDistributed of Keras 3, for any number of steps and any layer inside.

Keras 3.15 takes the size of the batch for the number of steps where that is not known beforehand, and can
wrap no model that was saved with a list of one output (keras/src/layers/rnn/time_distributed.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

_by_keras = keras.layers.TimeDistributed.call


def output_shape(layer: Any, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
    """Return the shape of what ``call`` answers."""
    batch, steps, *rest = input_shape
    child = layer.layer.compute_output_shape((batch, *rest))
    _, *of_one = child[0] if isinstance(child[0], (list, tuple)) else child
    return (batch, steps, *of_one)


def call(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    """Answer for all steps of all examples in one go, as if each were an example of its own."""
    if getattr(layer.layer, "stateful", False):
        return _by_keras(layer, inputs, training=training, mask=mask)
    shape = keras.ops.shape(inputs)
    options: dict[str, Any] = {}
    if layer.layer._call_has_mask_arg and mask is not None:
        options["mask"] = keras.ops.reshape(mask, (-1, *keras.ops.shape(mask)[2:]))
    if layer.layer._call_has_training_arg:
        options["training"] = training
    answer = layer.layer.call(keras.ops.reshape(inputs, (-1, *shape[2:])), **options)
    answer = answer[0] if isinstance(answer, (list, tuple)) else answer
    return keras.ops.reshape(answer, (*shape[:2], *keras.ops.shape(answer)[1:]))
