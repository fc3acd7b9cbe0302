"""Tracing, without what TensorFlow makes for each operation and nobody looks at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import auto_control_deps_utils, op_def_library, ops
from tensorflow.python.framework.func_graph import FuncGraph
from tensorflow.python.util import tf_stack
from tensorflow.python.util.object_identity import ObjectIdentitySet

from packager.replaced import replaced
from packager.values import Endpoint

_original_constraint = op_def_library._SatisfiesTypeConstraint
_original_resources = auto_control_deps_utils.get_read_write_resource_inputs
_original_default = FuncGraph.as_default


def traced(endpoint: Endpoint, input_names: Sequence[str]) -> Any:
    """Return the concrete function of ``endpoint``, whose inputs are traced under ``input_names``."""

    def serve(*tensors: Any) -> dict[str, Any]:
        return dict(zip(endpoint.outputs, endpoint.call(tensors), strict=True))

    specs = [
        tf.TensorSpec(spec.shape, spec.dtype, name=name)
        for spec, name in zip(endpoint.inputs, input_names, strict=True)
    ]
    with _frugal_tracing():
        return tf.function(serve, input_signature=specs, autograph=False).get_concrete_function()


@contextmanager
def _frugal_tracing() -> Iterator[None]:
    here = tf_stack.extract_stack()  # no need to know whence each node is
    with ExitStack() as patches:
        patches.enter_context(replaced(tf_stack, "extract_stack", lambda *_, **__: here))
        patches.enter_context(replaced(FuncGraph, "as_default", _as_default))
        patches.enter_context(replaced(op_def_library, "_SatisfiesTypeConstraint", _check_type))
        patches.enter_context(
            replaced(auto_control_deps_utils, "get_read_write_resource_inputs", _resource_inputs)
        )
        yield


def _check_type(dtype: Any, attr_def: Any, param_name: str) -> None:
    """Do what TensorFlow does, but write its message only where there is something to tell."""
    if dtype not in attr_def.allowed_values.list.type:
        _original_constraint(dtype, attr_def, param_name)


def _resource_inputs(operation: Any) -> Any:
    """Do what TensorFlow does, but ask nothing of an operation that is given no resources."""
    if any(tensor.dtype == tf.resource for tensor in operation.inputs):
        return _original_resources(operation)
    return ObjectIdentitySet(), ObjectIdentitySet()


def _as_default(graph: Any) -> AbstractContextManager[Any]:
    """Do what TensorFlow does for each operation, but leave it where the graph is the default one already."""
    if tf.executing_eagerly() or ops.get_default_graph() is not graph:
        within: AbstractContextManager[Any] = _original_default(graph)
        return within
    return nullcontext(graph)
