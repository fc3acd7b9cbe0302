"""The graph of a SavedModel, put together around functions that are traced already.

It is what TensorFlow's builder writes (tensorflow/python/saved_model/save.py), byte for byte: a handle for
each variable, and for each signature its placeholders and a call of a function ``signature_wrapper``, which
calls the one traced. But the builder traces that wrapper, makes each variable once more, in a graph, and
walks over all objects again and again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import meta_graph, op_def_registry
from tensorflow.python.ops import handle_data_util

from packager.savedmodel.objects import add_objects
from packager.savedmodel.wrapping import UniqueNames, Wrapped

_NODE_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_MAIN_OP, _INIT_OP = "saved_model_main_op", "__saved_model_init_op"


def can_build(functions: Iterable[Any], variables: Sequence[Any]) -> bool:
    """Tell whether ``functions`` read nothing but ``variables``, whose names can each name a node."""
    handles = {id(variable.handle) for variable in variables}
    names = [variable_name(variable) for variable in variables]
    return (
        all(id(captured) in handles for function in functions for captured in function.captured_inputs)
        and all(map(_NODE_NAME.fullmatch, names))
        and len({name.lower() for name in names}) == len(names)
        and all(variable.dtype != tf.variant for variable in variables)
    )


def build(functions: Mapping[str, Any], variables: Sequence[Any]) -> Any:
    """Return the SavedModel of ``functions``, by their signature keys, of which ``can_build`` is true."""
    document = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    graph = document.meta_graphs.add()
    graph.graph_def.CopyFrom(_library(functions.values()))
    bodies = {body.signature.name: body for body in graph.graph_def.library.function}
    wrapped = {key: Wrapped(function, bodies) for key, function in functions.items()}
    graph.graph_def.library.function.extend(one.definition() for one in wrapped.values())
    graph.graph_def.node.extend(map(_handle, reversed(variables)))
    handles = {id(variable.handle): variable_name(variable) for variable in variables}
    names = UniqueNames(first=1, taken=handles.values())
    for key in sorted(wrapped):
        _add_signature(graph, key, wrapped[key], handles, names)
    _add_initialising(graph, names)
    _tell_about(graph, {"ReadVariableOp"} if variables else set())
    add_objects(graph.object_graph_def, wrapped, variables)
    return document


def variable_name(variable: Any) -> str:
    """Return the name of a variable, as a node is named after it."""
    return variable.name.partition(":")[0]  # type: ignore[no-any-return]


def _library(functions: Iterable[Any]) -> Any:
    """Return a graph of no nodes, but ``functions`` and all that these call."""
    holder = tf.Graph()
    for function in functions:
        function.add_to_graph(holder)
    graph = holder.as_graph_def()
    for definition in graph.library.function:
        traced = getattr(holder._functions[definition.signature.name], "graph", None)
        if hasattr(traced, "inputs"):
            _tell_inputs(definition, traced)
    return graph


def _tell_inputs(definition: Any, traced: Any) -> None:
    """Add shapes to a FunctionDef, as ``Graph.as_graph_def`` does, but for those within it."""
    shapes = definition.attr["_input_shapes"]
    if not shapes.list.shape:
        shapes.list.shape.extend(tensor.shape.as_proto() for tensor in traced.inputs)
        _tell_handles(traced.inputs, definition.signature.input_arg)
    _tell_handles(traced.outputs, definition.signature.output_arg)


def _tell_handles(tensors: Iterable[Any], arguments: Iterable[Any]) -> None:
    for tensor, argument in zip(tensors, arguments, strict=False):
        if tensor.dtype == tf.resource:
            for inside in handle_data_util.get_resource_handle_data(tensor).shape_and_type[:1]:
                argument.handle_data.add(dtype=inside.dtype, shape=inside.shape)


def _handle(variable: Any) -> Any:
    name = variable_name(variable)
    node = node_def_pb2.NodeDef(name=name, op="VarHandleOp")
    node.attr["shared_name"].s = name.encode()
    node.attr["debug_name"].s = f"{name}/".encode()
    node.attr["dtype"].type = variable.dtype.as_datatype_enum
    node.attr["shape"].shape.CopyFrom(variable.shape.as_proto())
    return node


def _add_signature(
    graph: Any, key: str, wrapped: Wrapped, handles: Mapping[int, str], names: UniqueNames
) -> None:
    """Add what a session feeds and fetches for a signature, and the SignatureDef that tells of it."""
    told = graph.signature_def[key]
    inputs = []
    for keyword, tensor in wrapped.inputs:
        node = graph.graph_def.node.add(name=names.take(_safe(f"{key}_{keyword}")), op="Placeholder")
        node.attr["dtype"].type = tensor.dtype.as_datatype_enum
        node.attr["shape"].shape.CopyFrom(tensor.shape.as_proto())
        _tell_tensor(told.inputs[keyword], f"{node.name}:0", tensor)
        inputs.append(node.name)
    inputs += [handles[id(captured)] for captured in wrapped.captured]
    call = wrapped.call(names.take(wrapped.operation), inputs)
    graph.graph_def.node.append(call)
    for place, (name, tensor) in enumerate(wrapped.outputs):
        _tell_tensor(told.outputs[name], f"{call.name}:{place}", tensor)
    told.method_name = tf.saved_model.PREDICT_METHOD_NAME


def _tell_tensor(info: Any, name: str, tensor: Any) -> None:
    info.name = name
    info.dtype = tensor.dtype.as_datatype_enum
    info.tensor_shape.CopyFrom(tensor.shape.as_proto())


def _safe(name: str) -> str:
    """Return what may name a node."""
    return re.sub(r"[^A-Za-z0-9_.\\-]", "_", re.sub(r"^[^A-Za-z0-9.]+", "", name))


def _add_initialising(graph: Any, names: UniqueNames) -> None:
    """Add the operation that a server runs once the variables are there: it has nothing to do."""
    name = names.take("NoOp")
    graph.graph_def.node.add(name=name, op="NoOp")
    graph.collection_def[_MAIN_OP].node_list.value.append(name)
    info = graph.signature_def[_INIT_OP].outputs[_INIT_OP]
    info.name = name
    info.tensor_shape.unknown_rank = True


def _tell_about(graph: Any, operations: set[str]) -> None:
    """Tell what the graph needs: ``operations``, for TensorFlow's own reading of each variable, among it."""
    meta_graph.strip_graph_default_valued_attrs(graph)
    about = graph.meta_info_def
    about.tags.append(tf.saved_model.SERVING)
    about.tensorflow_version, about.tensorflow_git_version = tf.version.VERSION, tf.version.GIT_VERSION
    operations |= set(meta_graph.ops_used_by_graph_def(graph.graph_def))
    known = map(op_def_registry.get, sorted(operations))
    about.stripped_op_list.op.extend(operation for operation in known if operation is not None)
