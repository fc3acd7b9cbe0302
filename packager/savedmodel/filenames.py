"""Where the name of a file that a graph reads comes from: from whoever loads it, or from the graph itself.

A SavedModel's own names are given when it is loaded, whatever the graph holds in their place: that of the
checkpoint as SaverDef tells, those of assets as ``asset_file_def`` lists them. They reach the operation by
way of functions, variables and captured values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from packager.savedmodel.graph import assets_of

_CONDITIONED = ("If", "StatelessIf", "Case", "StatelessCase")
"""Operations that call functions with all their inputs but the first."""

Place = tuple[str, str]
"""The name of a function, empty for the graph itself, and an input as one of its nodes has it."""


class FileNames:
    """Follows inputs of the nodes of a MetaGraphDef back to where they begin."""

    def __init__(self, graph: Any) -> None:
        functions = graph.graph_def.library.function
        self.functions = {function.signature.name for function in functions}
        self._nodes = {"": {node.name: node for node in graph.graph_def.node}}
        self._nodes |= {f.signature.name: {node.name: node for node in f.node_def} for f in functions}
        self._arguments = {f.signature.name: [arg.name for arg in f.signature.input_arg] for f in functions}
        fed = [asset.tensor_info.name for asset in assets_of(graph)] + [graph.saver_def.filename_tensor_name]
        self._given_by_loader = {_name(tensor) for tensor in fed if tensor}
        self._objects = graph.object_graph_def
        self._callers: dict[str, list[tuple[str, Any]]] = defaultdict(list)
        self._assigned: dict[str, list[str]] = defaultdict(list)
        for owner, nodes in self._nodes.items():
            for node in nodes.values():
                for name in _called(node) & self.functions:
                    self._callers[name].append((owner, node))
        for node in self._nodes[""].values():
            if node.op == "AssignVariableOp":
                self._assigned[_name(node.input[0])].append(node.input[1])

    def fixed(self, function: str, argument: str) -> bool:
        """Tell whether ``argument`` of a node of ``function`` may be a text that the graph itself holds."""
        waiting, seen = [(function, argument)], set[Place]()
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            owner, name = place[0], _name(place[1])
            if not owner and name in self._given_by_loader:
                continue
            if owner and name in self._arguments[owner]:
                waiting += self._given(owner, self._arguments[owner].index(name))
                continue
            node = self._nodes[owner].get(name)
            if node is None or node.op == "Const":
                return True
            if not node.op.startswith("Placeholder"):
                waiting += self._into(owner, node)
        return False

    def _into(self, owner: str, node: Any) -> Iterator[Place]:
        yield from ((owner, argument) for argument in node.input if not argument.startswith("^"))
        if node.op == "VarHandleOp" and not owner:
            yield from (("", value) for value in self._assigned[node.name])

    def _given(self, function: str, position: int) -> Iterator[Place]:
        """Yield what callers give a function at one position, and what was captured for it."""
        for owner, node in self._callers[function]:
            at = position + (node.op in _CONDITIONED)
            if at < len(node.input):
                yield owner, node.input[at]
        if function in self._objects.concrete_functions:
            bound = self._objects.concrete_functions[function].bound_inputs
            captured = position - (len(self._arguments[function]) - len(bound))
            if 0 <= captured < len(bound) and 0 <= bound[captured] < len(self._objects.nodes):
                held = self._objects.nodes[bound[captured]]
                if held.HasField("constant"):
                    yield "", held.constant.operation


def _name(argument: str) -> str:
    return argument.removeprefix("^").partition(":")[0]


def _called(node: Any) -> set[str]:
    values = node.attr.values()
    return {node.op, *(v.func.name for v in values), *(f.name for v in values for f in v.list.func)}
