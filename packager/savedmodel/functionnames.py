"""Names of functions in a SavedModel, numbered by what calls them.

TensorFlow numbers functions in the order in which a process traced them (``__inference_serve_1042``), those
that are gone included. Here the first that the graph calls is 0, what that one calls comes next, and so on.
A name has to end in a number: TensorFlow's fingerprint leaves it out (graph_regularization/util).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

_NUMBER = re.compile(r"_\d+$")
_UNUSED = re.compile(r"_\d+(?=___redundant_placeholder\d+$)")
_ARGUMENT = "_user_specified_name"
_ABOUT_GRADIENTS = ("forward_function_name", "backward_function_name", "_gradient_op_type")


def renumber_functions(graph: Any) -> None:
    """Rename the functions of a MetaGraphDef, and sort them by their numbers."""
    library = graph.graph_def.library
    bodies = {function.signature.name: function for function in library.function}
    order = dict.fromkeys(_called(graph.graph_def.node, bodies))
    order.update(dict.fromkeys(_held(graph.object_graph_def)))
    order.update(dict.fromkeys(bodies))
    names = {old: f"{_NUMBER.sub('', old)}_{number}" for number, old in enumerate(order)}
    for function in library.function:
        function.signature.name = names[function.signature.name]
        _rename_unused(function)
        _rename_in_attributes(function.attr, names)
        for attributes in function.arg_attr.values():
            _drop_handle(attributes.attr)
        _rename_in_nodes(function.node_def, names)
    _rename_in_nodes(graph.graph_def.node, names)
    for gradient in library.gradient:
        gradient.function_name = names.get(gradient.function_name, gradient.function_name)
        gradient.gradient_func = names.get(gradient.gradient_func, gradient.gradient_func)
    del library.registered_gradients[:]
    _rename_in_objects(graph.object_graph_def, names)
    library.function.sort(key=lambda function: int(function.signature.name.rpartition("_")[2]))


def _called(nodes: Iterable[Any], bodies: dict[str, Any]) -> Iterator[str]:
    """Yield the functions that ``nodes`` call, each with what it calls itself after it."""
    seen: set[str] = set()
    waiting = [iter(_references(nodes))]
    while waiting:
        name = next(waiting[-1], None)
        if name is None:
            waiting.pop()
        elif name in bodies and name not in seen:
            seen.add(name)
            yield name
            waiting.append(iter(_references(bodies[name].node_def)))


def _references(nodes: Iterable[Any]) -> Iterator[str]:
    for node in nodes:
        for key in sorted(node.attr):
            yield from (function.name for function in _functions(node.attr[key]))


def _functions(value: Any) -> list[Any]:
    kind = value.WhichOneof("value")
    return [value.func] if kind == "func" else list(value.list.func) if kind == "list" else []


def _held(objects: Any) -> Iterator[str]:
    """Yield the functions that objects hold, which nothing in the graph need call."""
    for node in objects.nodes:
        kind = node.WhichOneof("kind")
        if kind == "function":
            yield from node.function.concrete_functions
        elif kind == "bare_concrete_function":
            yield node.bare_concrete_function.concrete_function_name


def _rename_in_nodes(nodes: Iterable[Any], names: dict[str, str]) -> None:
    for node in nodes:
        _rename_in_attributes(node.attr, names)
        _drop_handle(node.attr)


def _rename_in_attributes(attributes: Any, names: dict[str, str]) -> None:
    for key in list(attributes):
        for function in _functions(attributes[key]):
            function.name = names.get(function.name, function.name)
    for key in _ABOUT_GRADIENTS:
        if key in attributes:
            del attributes[key]  # a server computes none, and they name functions


def _rename_unused(function: Any) -> None:
    """Take the function's number out of the names of what a loop's condition takes for nothing."""
    arguments = function.signature.input_arg
    taken = {argument.name for argument in arguments}
    taken.update(name.partition(":")[0] for node in function.node_def for name in (node.name, *node.input))
    for argument in arguments:
        name = _UNUSED.sub("", argument.name)
        if name not in taken:
            argument.name = name


def _drop_handle(attributes: Any) -> None:
    """Take away the name of an argument that is a variable's handle: it is a number of the process."""
    if _ARGUMENT in attributes and attributes[_ARGUMENT].s.isdigit():
        del attributes[_ARGUMENT]


def _rename_in_objects(objects: Any, names: dict[str, str]) -> None:
    held = {name: objects.concrete_functions[name] for name in list(objects.concrete_functions)}
    copies = {name: type(value).FromString(value.SerializeToString()) for name, value in held.items()}
    objects.concrete_functions.clear()
    for name, value in copies.items():
        objects.concrete_functions[names.get(name, name)].CopyFrom(value)
    for node in objects.nodes:
        kind = node.WhichOneof("kind")
        if kind == "function":
            node.function.concrete_functions[:] = [
                names.get(name, name) for name in node.function.concrete_functions
            ]
        elif kind == "bare_concrete_function":
            one = node.bare_concrete_function
            one.concrete_function_name = names.get(one.concrete_function_name, one.concrete_function_name)
