"""Nodes of a graph as steps in an order to run them: what each takes, gives, and is the last to need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import Any

from tensorflow.python.framework import op_def_registry


class UnsupportedGraphError(Exception):
    """The graph does something with a variable, or with a function, that cannot be done in steps."""


class Step:
    """One operation, its tensors by their names in the graph (``NODE:OUTPUT``)."""

    def __init__(self, node: Any) -> None:
        """Read a NodeDef. Raises UnsupportedGraphError where TensorFlow does not know its operation."""
        self.node = node
        self.op: str = node.op
        self.inputs = [_tensor(name) for name in node.input if not name.startswith("^")]
        self.outputs = [f"{node.name}:{number}" for number in range(self._count())]
        self.done: list[str] = []
        """Tensors that no later step reads."""

    def attribute(self, name: str) -> Any:
        """Return the AttrValue of that name, which a graph leaves out where it is the default."""
        return self.node.attr[name] if name in self.node.attr else _defaults(self.op)[name]

    @cached_property
    def attributes(self) -> tuple[Any, ...]:
        """All as eager execution wants them, names and values in turn.

        Raises UnsupportedGraphError where one is a function or a tensor.
        """
        return tuple(part for name in _defaults(self.op) for part in (name, _attribute(self.attribute(name))))

    def _count(self) -> int:
        return sum(
            self.attribute(number).i if number else len(self.attribute(types).list.type) if types else 1
            for number, types in _outputs(self.op)
        )


def steps(
    nodes: Iterable[Any], fetches: Sequence[str], targets: Sequence[str], known: Collection[str]
) -> list[Step]:
    """Return what the tensors ``fetches`` and the operations ``targets`` need, in an order to run it.

    The tensors ``known`` are there already.
    """
    by_name = {node.name: node for node in nodes}
    order = list(_needed(by_name, [*map(_node, fetches), *targets], known))
    last = {name: step for step in order for name in (*step.inputs, *step.outputs)}
    for name in last.keys() - set(fetches):
        last[name].done.append(name)
    return order


def _needed(nodes: Mapping[str, Any], names: Sequence[str], known: Collection[str]) -> Iterator[Step]:
    found: dict[str, Step] = {}
    done: set[str] = set()
    waiting = [(name, False) for name in reversed(names)]
    while waiting:
        name, ready = waiting.pop()
        if name in done:
            continue
        step = found.get(name) or found.setdefault(name, Step(nodes[name]))
        if step.outputs and all(tensor in known for tensor in step.outputs):
            continue
        if ready:
            done.add(name)
            yield step
            continue
        waiting.append((name, True))
        controls = [source[1:] for source in step.node.input if source.startswith("^")]
        sources = [_node(tensor) for tensor in step.inputs if tensor not in known]
        # the first one first: what is multiplied before the weights that it is multiplied with
        waiting += [(source, False) for source in reversed((*controls, *sources)) if source not in done]


def _tensor(name: str) -> str:
    return name if ":" in name else f"{name}:0"


def _node(tensor: str) -> str:
    return tensor.partition(":")[0]


@cache
def _defaults(op: str) -> Mapping[str, Any]:
    """Return the AttrValues that an operation has where none is given, by name."""
    return {attribute.name: attribute.default_value for attribute in _definition(op).attr}


@cache
def _outputs(op: str) -> Sequence[tuple[str, str]]:
    """Return the attributes that tell how many tensors, and of which types, each output is."""
    return [(given.number_attr, given.type_list_attr) for given in _definition(op).output_arg]


def _definition(op: str) -> Any:
    if (definition := op_def_registry.get(op)) is None:
        raise UnsupportedGraphError(f"TensorFlow does not know {op}")
    return definition


def _attribute(value: Any) -> Any:
    """Return what an AttrValue holds as eager execution wants it."""
    kind = value.WhichOneof("value")
    if kind == "shape":
        return None if value.shape.unknown_rank else [dimension.size for dimension in value.shape.dim]
    if kind == "list":
        return _entries(value.list)
    if kind not in ("s", "i", "f", "b", "type"):
        raise UnsupportedGraphError(f"an attribute is a {kind}")
    return getattr(value, kind)


def _entries(listed: Any) -> list[Any]:
    for kind in ("s", "i", "f", "b", "type"):
        if found := getattr(listed, kind):
            return list(found)
    if listed.shape:
        return [None if s.unknown_rank else [d.size for d in s.dim] for s in listed.shape]
    if listed.func or listed.tensor:
        raise UnsupportedGraphError("an attribute is a list of functions or tensors")
    return []
