"""Keras 3 without waste: it builds a model once, makes no numbers to overwrite, and lets go of what it used.

As it is, a Sequential is built anew for each layer that is added to it, a variable is initialised before it
is loaded, every number and name that a layer is given is searched for variables, and a functional model holds
every layer's answer until the last one is there.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend import Variable, numpy
from keras.src.backend.tensorflow.trackable import KerasAutoTrackable
from keras.src.layers.layer import Layer
from keras.src.ops.function import Function

from packager.loading import timesteps
from packager.loading.deferred import Initial, deferred_variables, in_pieces
from packager.pieces import gathered, multiplied
from packager.replaced import remembered, replaced

_Steps = keras.layers.TimeDistributed


@contextmanager
def frugal_building() -> Iterator[None]:
    """Build each model inside once, and leave its large variables without numbers."""
    with ExitStack() as patches:
        patches.enter_context(deferred_variables())
        patches.enter_context(replaced(Variable, "_initialize_with_initializer", _initialize))
        patches.enter_context(replaced(Layer, "__setattr__", _set_attribute))
        patches.enter_context(replaced(keras.Sequential, "from_config", classmethod(_from_config)))
        patches.enter_context(remembered(inspect, "_signature_from_function"))  # each layer's is asked for
        patches.enter_context(replaced(_Steps, "compute_output_shape", timesteps.output_shape))
        patches.enter_context(replaced(_Steps, "call", timesteps.call))
        yield


@contextmanager
def frugal_answering() -> Iterator[None]:
    """Let models inside hold an answer of a layer until its last reader, and large weights in pieces."""
    with ExitStack() as patches:
        patches.enter_context(replaced(Function, "_run_through_graph", _run_through_graph))
        patches.enter_context(replaced(numpy, "matmul", _matmul))
        patches.enter_context(replaced(numpy, "take", _take))
        patches.enter_context(replaced(_Steps, "call", timesteps.call))
        yield


def _initialize(variable: Any, initializer: Any) -> None:
    """Ask TensorFlow for a variable, and tell it the shape, which Keras does not."""
    variable._initialize(Initial(initializer, variable._shape, variable._dtype))


_original_set_attribute = Layer.__setattr__
_PLAIN = frozenset((bool, int, float, str, type(None)))


def _set_attribute(layer: Any, name: str, value: Any) -> None:
    """Do what Keras does, which keeps track of variables and layers, and so of nothing that is plain."""
    if type(value) in _PLAIN and hasattr(layer, "_tracker") and _only_tracks(layer.__class__):
        object.__setattr__(layer, name, value)
    else:
        _original_set_attribute(layer, name, value)


@cache
def _only_tracks(kind: type) -> bool:
    """Tell whether nothing but Keras and TensorFlow takes part in setting an attribute of a layer."""
    taking_part = {Layer, *KerasAutoTrackable.__mro__}
    return all(part in taking_part for part in kind.__mro__ if "__setattr__" in vars(part))


_original_matmul, _original_take = numpy.matmul, numpy.take


def _matmul(x1: Any, x2: Any) -> Any:
    """Do what Keras does, but with a large matrix piece by piece, and rows of rows as so many rows.

    Keras computes for each request how many there are, and for each answer its shape, though of that only the
    number of examples is new.
    """
    stored = in_pieces(x2)
    if stored is not None and x2.dtype == stored.dtype.name == getattr(x1, "dtype", None):
        return multiplied([x1], stored)[0]
    if not _are_rows_of_rows(x1) or len(getattr(x2, "shape", ())) != 2 or x2.dtype != x1.dtype:
        return _original_matmul(x1, x2)
    *leading, depth = x1.shape
    product = tf.matmul(tf.reshape(x1, [-1, depth]), tf.convert_to_tensor(x2))
    return tf.reshape(product, [*(-1 if size is None else size for size in leading), product.shape[1]])


def _are_rows_of_rows(x: Any) -> bool:
    """Tell whether a tensor has so many dimensions, of which only one at most is not known."""
    if not isinstance(x, tf.Tensor) or not x.dtype.is_floating or x.shape.rank is None or x.shape.rank < 3:
        return False
    known = [size for size in x.shape if size is not None]
    return x.shape[-1] is not None and len(known) >= x.shape.rank - 1 and all(known)


def _take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Do what Keras does, but read only the rows asked for of a large table."""
    stored = in_pieces(x)
    if stored is None or axis != 0 or not isinstance(indices, tf.Tensor) or x.dtype != stored.dtype.name:
        return _original_take(x, indices, axis)
    return gathered(stored, [tf.where(indices < 0, indices + stored.shape[0], indices)])[0]


_original_from_config = keras.Sequential.from_config.__func__


def _from_config(cls: Any, config: Any, custom_objects: Any = None) -> Any:
    build = keras.Sequential._maybe_rebuild
    with replaced(keras.Sequential, "_maybe_rebuild", lambda _: None):
        model = _original_from_config(cls, config, custom_objects)
    if not model._functional and model._layers:
        build(model)
    return model


def _run_through_graph(
    function: Any,
    inputs: Any,
    operation_fn: Callable[[Any], Any] = lambda operation: operation,
    call_fn: Callable[..., Any] | None = None,
) -> Any:
    """Do what Keras does, and drop each tensor after its last reader."""
    nodes = [
        node
        for depth in sorted(function._nodes_by_depth, reverse=True)
        for node in function._nodes_by_depth[depth]
        if node.operation and not node.is_input
    ]
    readers = Counter(id(x) for node in nodes for x in {id(x): x for x in node.input_tensors}.values())
    readers.update(map(id, function.outputs))
    tensors = dict(zip(map(id, function.inputs), keras.tree.flatten(inputs), strict=False))
    for node in nodes:
        read = {id(x) for x in node.input_tensors}
        if not read <= tensors.keys():
            continue
        args, kwargs = node.arguments.fill_in(tensors)
        operation = operation_fn(node.operation)
        answer = operation(*args, **kwargs) if call_fn is None else call_fn(operation, *args, **kwargs)
        del args, kwargs
        tensors.update(zip(map(id, node.outputs), keras.tree.flatten(answer), strict=False))
        readers.subtract(read)
        for x in read:
            if not readers[x]:
                del tensors[x]
    return keras.tree.pack_sequence_as(function._outputs_struct, [tensors[id(x)] for x in function.outputs])
