"""What a server may come to run of a graph: nodes that lead to an answer, and functions that they call."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from packager.savedmodel.graph import INIT_KEY

_INITIALISERS = ("saved_model_main_op", "legacy_init_op")
"""Collections of older SavedModels that name the operation that initialises resources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node that a server may run, and the part of the model that it belongs to."""

    op: str
    name: str
    layer: str
    """The scope of its name, ``sequential/dense``: Keras opens one for each layer. Empty outside of all."""
    device: str
    resource: bytes
    """The name of the table or variable that it makes, if it makes one."""


class Reach:
    """The nodes of a MetaGraphDef that a server runs: to answer, to initialise, to restore."""

    def __init__(self, graph: Any) -> None:
        self.exporter: str = graph.meta_info_def.tensorflow_version
        """Version of the TensorFlow that wrote it, empty where nothing tells."""
        self._nodes = {node.name: node for node in graph.graph_def.node}
        self._functions = {function.signature.name: function for function in graph.graph_def.library.function}
        self.serving = {
            key: tuple(self._run(self._ends(definition.outputs.values())))
            for key, definition in sorted(graph.signature_def.items())
            if key != INIT_KEY
        }
        """By signature, what it takes to answer a request."""
        init = graph.signature_def[INIT_KEY].outputs.values() if INIT_KEY in graph.signature_def else ()
        told = [graph.collection_def[key] for key in _INITIALISERS if key in graph.collection_def]
        named = [name for collection in told for name in collection.node_list.value]
        self.initialising = tuple(self._run([*self._ends(init), *named]))
        """What runs once, after the variables were restored."""
        restore = graph.saver_def.restore_op_name
        self.restoring = tuple(self._run([restore] if restore else []))
        """What reads the variables from disk."""

    @property
    def all(self) -> Iterator[Node]:
        """Every node once for each way in which a server comes to run it."""
        for nodes in self.serving.values():
            yield from nodes
        yield from self.initialising
        yield from self.restoring

    @staticmethod
    def _ends(infos: Iterable[Any]) -> list[str]:
        return [info.name.partition(":")[0] for info in infos]

    def _run(self, ends: Iterable[str]) -> Iterator[Node]:
        """Yield the nodes that lead to ``ends``, and those of the functions that these call."""
        called: dict[str, str] = {}
        for node in self._leading_to(ends):
            yield _node(node, "")
            called.update({name: _scope(node.name) for name in self._calls(node)})
        waiting, seen = deque(called.items()), set(called)
        while waiting:
            name, caller = waiting.popleft()
            for node in self._functions[name].node_def:
                yield _node(node, caller)
                for other in self._calls(node):
                    if other not in seen:
                        seen.add(other)
                        waiting.append((other, _scope(node.name) or caller))

    def _leading_to(self, ends: Iterable[str]) -> Iterator[Any]:
        waiting, seen = deque(ends), set[str]()
        while waiting:
            name = waiting.popleft().lstrip("^").partition(":")[0]
            if name in seen or name not in self._nodes:
                continue
            seen.add(name)
            yield self._nodes[name]
            waiting.extend(self._nodes[name].input)

    def _calls(self, node: Any) -> Iterator[str]:
        """Yield the functions that a node may call."""
        values = node.attr.values()
        named = [value.func.name for value in values]
        listed = [func.name for value in values for func in value.list.func]
        for name in (node.op, *named, *listed):
            if name in self._functions:
                yield name


def _node(node: Any, caller: str) -> Node:
    attributes = node.attr
    return Node(
        op=node.op,
        name=node.name,
        layer=_scope(node.name) or caller,
        device=node.device,
        resource=attributes["shared_name"].s if "shared_name" in attributes else b"",
    )


def _scope(name: str) -> str:
    return name.rpartition("/")[0]
