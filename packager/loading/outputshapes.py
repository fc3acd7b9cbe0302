"""The shapes between layers of tf_keras, without a graph for each of them.

Keras 3 asks a layer what its output's shape is; tf_keras traces the layer into a graph that it throws away.
Of the layers that most large models consist of, Keras' own, both say the same.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras
from tf_keras import layers
from tf_keras.src import backend
from tf_keras.src.engine import keras_tensor
from tf_keras.src.mixed_precision import autocast_variable

_SHAPE_AS_ASKED = frozenset((layers.Conv1D, layers.Conv2D, layers.DepthwiseConv2D, layers.Dense))
_SHAPE_KEPT = frozenset(
    (layers.BatchNormalization, layers.Activation, layers.ReLU, layers.Dropout, layers.Add)
)

_original = layers.Layer._infer_output_signature


def infer_output(layer: Any, inputs: Any, args: Any, options: Any, masks: Any) -> Any:
    """Build ``layer``, and return what stands for its answer, as ``Layer._infer_output_signature`` does."""
    given = tf.nest.flatten(inputs)
    if not _is_plain(layer, given, args, options, masks):
        return _original(layer, inputs, args, options, masks)
    compute_type = layer._compute_dtype_object
    with backend.name_scope(layer._name_scope()), autocast_variable.enable_auto_cast_variables(compute_type):
        layer._maybe_build(inputs)
    try:
        kept = type(layer) in _SHAPE_KEPT
        shape = given[0].shape if kept else layer.compute_output_shape(given[0].shape)
        answer = tf.TensorSpec(shape, compute_type)
    except ValueError:  # which its graph tells better
        return _original(layer, inputs, args, options, masks)
    layer._set_save_spec(inputs, args, options)
    return keras_tensor.keras_tensor_from_type_spec(answer)


def _is_plain(layer: Any, given: list[Any], args: Any, options: Any, masks: Any) -> bool:
    """Tell whether nothing but the shape and type of what is ``given`` decides on those of the answer."""
    return (
        type(layer) in _SHAPE_AS_ASKED | _SHAPE_KEPT
        and not layer.built
        and layer._activity_regularizer is None
        and _is_known(getattr(layer, "activation", None))
        and not args
        and options.keys() <= {"training"}
        and all(mask is None for mask in tf.nest.flatten(masks))
        and all(type(x) is keras_tensor.KerasTensor for x in given)
        and all(x.dtype == layer._compute_dtype_object and x.dtype.is_floating for x in given)
        and (given[0].shape.rank or 0) > 1
        and len({tuple(x.shape) for x in given}) == 1
    )


def _is_known(activation: Any) -> bool:
    name = getattr(activation, "__name__", "")
    return activation is None or getattr(tf_keras.activations, name, None) is activation
