"""The graph of objects in a SavedModel, from which ``tf.saved_model.load`` makes them anew.

There are a root, the list ``weights`` of variables, an empty list ``resources``, and the signatures
(tensorflow/core/protobuf/saved_object_graph.proto).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import FullArgSpec
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.tensor import sanitize_spec_name
from tensorflow.python.saved_model import nested_structure_coder

from packager.savedmodel.wrapping import Wrapped


def add_objects(graph: Any, signatures: Mapping[str, Wrapped], variables: Sequence[Any]) -> None:
    """Fill a SavedObjectGraph."""
    first = 4  # after the root and its children
    ids = {id(variable.handle): first + place for place, variable in enumerate(variables)}
    after = first + len(variables)
    root = {"weights": 1, "resources": 2, "signatures": 3}
    _add_plain(graph, "_generic_user_object", root)
    _add_plain(
        graph, "trackable_list_wrapper", {str(place): first + place for place in range(len(variables))}
    )
    _add_plain(graph, "trackable_list_wrapper", {})
    _add_plain(graph, "signature_map", {key: after + place for place, key in enumerate(signatures)})
    for variable in variables:
        variable._write_object_proto(graph.nodes.add(), tf.saved_model.SaveOptions())
    for wrapped in signatures.values():
        _fill_function(graph.nodes.add().bare_concrete_function, wrapped)
        held = graph.concrete_functions[wrapped.name]
        held.bound_inputs.extend(ids[id(captured)] for captured in wrapped.captured)
        held.canonicalized_input_signature.CopyFrom(_encoded(((), _specs(wrapped.inputs))))
        held.output_signature.CopyFrom(_encoded(_specs(wrapped.outputs)))


def _add_plain(graph: Any, identifier: str, children: Mapping[str, int]) -> None:
    node = graph.nodes.add()
    node.user_object.identifier = identifier
    node.user_object.version.producer = node.user_object.version.min_consumer = 1
    for name, number in children.items():
        node.children.add(local_name=name, node_id=number)


def _fill_function(function: Any, wrapped: Wrapped) -> None:
    keywords = [keyword for keyword, _ in wrapped.inputs]
    takes = FullArgSpec([], None, None, None, keywords, None, {})
    function.concrete_function_name = wrapped.name
    function.argument_keywords.extend(keywords)
    function.allowed_positional_arguments = int(len(keywords) == 1)
    function.function_spec.fullargspec.CopyFrom(_encoded(takes))
    function.function_spec.input_signature.CopyFrom(_encoded(None))


def _specs(tensors: Sequence[tuple[str, Any]]) -> dict[str, tf.TensorSpec]:
    return {
        name: tf.TensorSpec(tensor.shape, tensor.dtype, name=sanitize_spec_name(name))
        for name, tensor in tensors
    }


def _encoded(structure: Any) -> Any:
    return nested_structure_coder.encode_structure(structure)
