"""The function between a signature and the one traced for it: it takes its inputs by name.

``tf.saved_model.load`` gives this one to its user, and a server calls it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tensorflow.core.framework import function_pb2, node_def_pb2
from tensorflow.python.eager import context
from tensorflow.python.framework import auto_control_deps_utils, ops


class UniqueNames:
    """Gives each name once, whatever its case: where it is taken, with a number, from ``first`` on."""

    def __init__(self, *, first: int, taken: Iterable[str] = ()) -> None:
        self._first = first
        self._next = {name.lower(): first for name in taken}

    def take(self, name: str) -> str:
        """Return ``name``, or what is free."""
        key, free = name.lower(), name
        while free.lower() in self._next:
            free = f"{name}_{self._next[key]}"
            self._next[key] += 1
        self._next[free.lower()] = self._first
        return free


class Wrapped:
    """A traced function: its inputs in the order of their names, then the variables that it reads."""

    def __init__(self, traced: Any, bodies: Mapping[str, Any]) -> None:
        declared = list(zip(traced._arg_keywords, traced.inputs, strict=False))
        places = sorted(range(len(declared)), key=lambda place: declared[place][0])
        self._body = bodies[traced.name.decode()]
        self._places = [*places, *range(len(declared), len(traced.inputs))]
        self._read_only = auto_control_deps_utils.get_read_only_resource_input_indices_graph(traced.graph)
        self._stateful = self._body.signature.is_stateful
        self.name = f"__inference_signature_wrapper_{ops.uid()}"
        self.operation = "StatefulPartitionedCall" if self._stateful else "PartitionedCall"
        self.inputs: list[tuple[str, Any]] = [declared[place] for place in places]
        self.outputs: list[tuple[str, Any]] = sorted(traced.structured_outputs.items())
        self.captured: Sequence[Any] = traced.captured_inputs

    def call(self, name: str, inputs: Sequence[str]) -> Any:
        """Return a node that calls the wrapper."""
        types = [self._body.signature.input_arg[place].type for place in self._places]
        return self._call(name, self.name, inputs, types)

    def definition(self) -> Any:
        """Return the wrapper: it calls what was traced, and is through when that is."""
        body = self._body
        wrapper = function_pb2.FunctionDef()
        wrapper.signature.name = self.name
        wrapper.signature.is_stateful = self._stateful
        wrapper.attr["_construction_context"].s = b"kEagerRuntime"
        names = self._add_arguments(wrapper)
        types = [argument.type for argument in body.signature.input_arg]
        wrapper.node_def.append(self._call(self.operation, body.signature.name, names, types))
        for place, output in enumerate(body.signature.output_arg):
            name = f"Identity_{place}" if place else "Identity"
            node = wrapper.node_def.add(name=name, op="Identity", input=[f"{self.operation}:output:{place}"])
            node.attr["T"].type = output.type
            node.input.extend(["^NoOp"] if self._stateful else [])
            wrapper.signature.output_arg.add(name=name.lower(), type=output.type)
            wrapper.ret[name.lower()] = f"{name}:output:0"
        if self._stateful:
            wrapper.node_def.add(name="NoOp", op="NoOp", input=[f"^{self.operation}"])
            wrapper.signature.control_output.append(self.operation)
            wrapper.control_ret[self.operation] = self.operation
        return wrapper

    def _add_arguments(self, wrapper: Any) -> list[str]:
        """Add what the wrapper takes; return the names in the order in which what was traced takes them."""
        body, free, names = self._body, UniqueNames(first=0), [""] * len(self._places)
        for new, old in enumerate(self._places):
            argument = wrapper.signature.input_arg.add()
            argument.CopyFrom(body.signature.input_arg[old])
            wrapper.attr["_input_shapes"].list.shape.append(body.attr["_input_shapes"].list.shape[old])
            if new < len(self.inputs):
                wrapper.arg_attr[new].CopyFrom(body.arg_attr[old])
            else:
                argument.name = "unknown"
                wrapper.arg_attr[new].SetInParent()
            argument.name = names[old] = free.take(argument.name)
        return names

    def _call(self, name: str, function: str, inputs: Sequence[str], types: Sequence[int]) -> Any:
        node = node_def_pb2.NodeDef(name=name, op=self.operation, input=inputs)
        node.attr["Tin"].list.type.extend(types)
        node.attr["Tout"].list.type.extend(output.type for output in self._body.signature.output_arg)
        node.attr["f"].func.name = function
        node.attr["config_proto"].s = context.context().function_call_options.as_attrs()["config_proto"]
        node.attr["_read_only_resource_inputs"].list.i.extend(self._read_only)
        node.attr["_collective_manager_ids"].list.SetInParent()
        return node
