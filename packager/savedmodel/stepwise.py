"""A written SavedModel, asked one operation after the other: a weight is in memory while it is used only.

A server restores all weights before it answers. To see that a model answers right which is larger than the
memory of this machine, its graphs are taken from ``saved_model.pb`` and run here as they are: variables are
restored as the graph itself says, but each is read from the checkpoint, and compared with its checksum, when
an operation asks for it. A large matrix or table of embeddings is read and used in pieces (``pieces``). Every
other operation is run by TensorFlow's own kernel.

What runs is what the file says, node by node: TensorFlow imports the graph once, to see that a server could,
but to have an object of Python for each of its operations would take longer than running them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.eager import context, execute
from tensorflow.python.framework import importer
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def

from packager.pieces import as_tensor, gathered, is_large, multiplied
from packager.replaced import replaced
from packager.savedmodel.checkpoint import stored_tensors
from packager.savedmodel.steps import Step, UnsupportedGraphError, steps
from packager.stored import StoredArray

Values = Sequence[Any]


@dataclass(slots=True)
class _Handle:
    """Stands for a variable's handle."""

    restored: Any = None
    """A tensor, or a _Restored."""

    def value(self) -> Any:
        if self.restored is None:
            raise UnsupportedGraphError("a variable is read that nothing restores")
        return self.restored


@dataclass(frozen=True, slots=True)
class _Restored:
    """Stands for a tensor of the checkpoint, until an operation wants its numbers."""

    stored: StoredArray

    def read(self) -> Any:
        return as_tensor(self.stored.read())


@dataclass(frozen=True, slots=True)
class _Each:
    """One value for each of several requests that are answered at once, so that a weight is read once."""

    values: list[Any]


def _split(inputs: Values) -> list[list[Any]]:
    """Return the inputs of each request, ``[inputs]`` where they are the same for all."""
    count = next((len(value.values) for value in inputs if isinstance(value, _Each)), 1)
    return [[v.values[i] if isinstance(v, _Each) else v for v in inputs] for i in range(count)]


def _joined(answers: list[Values]) -> Values:
    return answers[0] if len(answers) == 1 else [_Each(list(values)) for values in zip(*answers, strict=True)]


def _read(value: Any) -> Any:
    return value.read() if isinstance(value, _Restored) else value


@dataclass(frozen=True, slots=True)
class _Function:
    """A function of the library: which tensors it takes and gives, and how to get from one to the other."""

    inputs: Sequence[str]
    outputs: Sequence[str]
    steps: Sequence[Step]


class StepwiseModel:
    """The signatures of a SavedModel; each call reads the weights anew, once for all its requests."""

    def __init__(self, folder: Path) -> None:
        """Read the graphs and restore the variables. Raises UnsupportedGraphError."""
        document = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        (self._meta,) = document.meta_graphs
        if self._meta.asset_file_def:
            raise UnsupportedGraphError("it has assets")
        self._graph = tf.Graph()
        no_objects = replaced(importer, "_ProcessNewOps", lambda _: None)
        with self._graph.as_default(), no_objects:
            tf.graph_util.import_graph_def(self._meta.graph_def, name="")
        self._functions: dict[str, _Function] = {}
        self._kept: dict[str, Any] = {}  # handles, of variables and of tables
        self.stored = stored_tensors(str(folder / "variables" / "variables"))
        """What there is to restore, by key."""
        self._restore(str(folder / "variables" / "variables"))

    def ask(self, key: str, requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Answer requests to the signature ``key``."""
        signature = self._meta.signature_def[key]
        feeds = {
            signature.inputs[name].name: _Each([request[name] for request in requests])
            for name in requests[0]
        }
        names = list(signature.outputs)
        fetches = [signature.outputs[name].name for name in names]
        answers = _split([*self._run(fetches, feeds), _Each(list(requests))])
        return [dict(zip(names, map(_read, values), strict=False)) for values in answers]

    def _restore(self, prefix: str) -> None:
        saver, definitions = self._meta.saver_def, self._meta.signature_def
        self._run([], {saver.filename_tensor_name: tf.constant(prefix)}, [saver.restore_op_name])
        if "__saved_model_init_op" in definitions:
            name = definitions["__saved_model_init_op"].outputs["__saved_model_init_op"].name
            self._run([], {}, [name.partition(":")[0]])

    def _run(
        self, fetches: Sequence[str], feeds: Mapping[str, Any], targets: Sequence[str] = ()
    ) -> list[Any]:
        """Run what ``fetches`` and the operations ``targets`` of the main graph need."""
        known = {**self._kept, **feeds}
        return self._evaluate(steps(self._meta.graph_def.node, fetches, targets, known), fetches, known)

    def _evaluate(self, order: Sequence[Step], fetches: Sequence[str], known: Mapping[str, Any]) -> list[Any]:
        values = dict(known)
        for step in order:
            answers = self._operation(step, [values[name] for name in step.inputs])
            values.update(zip(step.outputs, answers, strict=False))
            del answers
            for name in step.done:
                values.pop(name, None)
        return [values[name] for name in fetches]

    def _operation(self, step: Step, inputs: list[Any]) -> Values:
        if step.op in ("VarHandleOp", "HashTableV2", "MutableHashTableV2"):
            return [self._kept.setdefault(step.outputs[0], self._resource(step))]
        if (special := _SPECIAL.get(step.op)) is not None:
            if step.op in _FOR_ALL_AT_ONCE:
                return special(self, step, inputs)
            return _joined([special(self, step, values) for values in _split(inputs)])
        if any(isinstance(value, _Handle) for value in inputs):
            raise UnsupportedGraphError(f"{step.op} takes a variable")
        return self._by_kernel(step, inputs)

    def _by_kernel(self, step: Step, inputs: Values) -> Values:
        values = [_read(value) for value in inputs]
        return _joined([_kernel(step, of_one) for of_one in _split(values)])

    def _resource(self, step: Step) -> Any:
        return _Handle() if step.op == "VarHandleOp" else _kernel(step, [])[0]

    def _call(self, name: str, inputs: Values) -> Values:
        function = self._function(name)
        known = dict(zip(function.inputs, inputs, strict=True))
        return self._evaluate(function.steps, function.outputs, known)

    def _function(self, name: str) -> _Function:
        if name not in self._functions:
            library = self._meta.graph_def.library.function
            (definition,) = (f for f in library if f.signature.name == name)
            with self._graph.as_default():
                graph, flat = function_def_to_graph_def(definition)
            inputs = [f"{given.name}:0" for given in definition.signature.input_arg]
            outputs = [flat[definition.ret[given.name]] for given in definition.signature.output_arg]
            effects = [node.name for node in graph.node if node.op in _EFFECTS]
            order = steps(graph.node, outputs, effects, set(inputs))
            self._functions[name] = _Function(inputs, outputs, order)
        return self._functions[name]

    def _partitioned_call(self, step: Step, inputs: Values) -> Values:
        return self._call(step.attribute("f").func.name, inputs)

    def _while(self, step: Step, inputs: Values) -> Values:
        condition, body = (step.attribute(name).func.name for name in ("cond", "body"))
        while bool(_read(self._call(condition, inputs)[0])):
            inputs = self._call(body, inputs)
        return inputs

    def _if(self, step: Step, inputs: Values) -> Values:
        branch = "then_branch" if bool(_read(inputs[0])) else "else_branch"
        return self._call(step.attribute(branch).func.name, inputs[1:])

    def _assign(self, _step: Step, inputs: Values) -> Values:
        handle, value = inputs
        if not isinstance(handle, _Handle):
            raise UnsupportedGraphError("a variable is assigned")
        handle.restored = value
        return []


def _kernel(step: Step, inputs: Values) -> Values:
    """Run an operation by TensorFlow's kernel for it."""
    answers: Values = execute.execute(
        step.op.encode(), len(step.outputs), list(inputs), step.attributes, context.context()
    )
    return answers or []


def _constant(_model: StepwiseModel, step: Step, _inputs: Values) -> Values:
    dtype = tf.as_dtype(step.attribute("dtype").type)
    return [tf.constant(tf.make_ndarray(step.attribute("value").tensor), dtype=dtype)]


def _pass_on(_model: StepwiseModel, _step: Step, inputs: Values) -> Values:
    return inputs


def _restore(model: StepwiseModel, step: Step, inputs: Values) -> Values:
    prefix, *texts = inputs
    dtypes = step.attribute("dtypes").list.type
    found = []
    for key, part, dtype in zip(*(text.numpy() for text in texts), dtypes, strict=True):
        stored = model.stored.get(key.decode())
        if stored is not None and not part:
            found.append(_Restored(stored))
        else:  # text, which is small
            found += tf.raw_ops.RestoreV2(
                prefix=prefix, tensor_names=[key], shape_and_slices=[part], dtypes=[dtype]
            )
    return found


def _multiply(model: StepwiseModel, step: Step, inputs: Values) -> Values:
    """Multiply with a large matrix piece by piece, for all requests at once."""
    names = ("transpose_a", "transpose_b") if step.op == "MatMul" else ("adj_x", "adj_y")
    first, second = (step.attribute(name).b for name in names)
    stored = _large(inputs[1])
    if stored is None or first or isinstance(inputs[0], _Restored):
        return model._by_kernel(step, inputs)
    return [_like(inputs[0], multiplied(_each(inputs[0]), stored, transposed=second))]


def _gather(model: StepwiseModel, step: Step, inputs: Values) -> Values:
    """Read rows of a large table, for all requests at once."""
    table, indices, *axis = inputs
    batch = step.attribute("batch_dims").i
    stored = _large(table.value() if isinstance(table, _Handle) else table)
    if stored is None or batch or any(map(_is_other_axis, axis)) or isinstance(indices, _Restored):
        if not isinstance(table, _Handle):
            return model._by_kernel(step, inputs)
        whole = _read(table.value())
        return [_like(indices, [tf.gather(whole, _read(x), batch_dims=batch) for x in _each(indices)])]
    return [_like(indices, gathered(stored, _each(indices)))]


def _large(value: Any) -> StoredArray | None:
    return value.stored if isinstance(value, _Restored) and is_large(value.stored) else None


def _is_other_axis(axis: Any) -> bool:
    return isinstance(axis, (_Each, _Restored)) or int(axis) != 0


def _each(value: Any) -> list[Any]:
    return value.values if isinstance(value, _Each) else [value]


def _like(value: Any, answers: list[Any]) -> Any:
    """Return answers as what they were asked with: one for each request, or one for all."""
    return _Each(answers) if isinstance(value, _Each) else answers[0]


_SPECIAL: dict[str, Callable[[StepwiseModel, Any, Any], Values]] = {
    "Const": _constant,
    "Identity": _pass_on,
    "PlaceholderWithDefault": _pass_on,
    "NoOp": lambda _model, _step, _inputs: [],
    "RestoreV2": _restore,
    "AssignVariableOp": StepwiseModel._assign,
    "ReadVariableOp": lambda _model, _step, inputs: [inputs[0].value()],
    "ResourceGather": _gather,
    "GatherV2": _gather,
    "MatMul": _multiply,
    "BatchMatMulV2": _multiply,
    "ResourceGatherNd": lambda _model, _step, inputs: [
        tf.gather_nd(_read(inputs[0].value()), _read(inputs[1]))
    ],
    "PartitionedCall": StepwiseModel._partitioned_call,
    "StatefulPartitionedCall": StepwiseModel._partitioned_call,
    "While": StepwiseModel._while,
    "StatelessWhile": StepwiseModel._while,
    "If": StepwiseModel._if,
    "StatelessIf": StepwiseModel._if,
}
_FOR_ALL_AT_ONCE = {
    *("Identity", "PartitionedCall", "StatefulPartitionedCall", "ReadVariableOp", "RestoreV2"),
    *("MatMul", "BatchMatMulV2", "GatherV2", "ResourceGather"),
}
_EFFECTS = {"AssignVariableOp", "LookupTableImportV2", "InitializeTableV2", "StatefulPartitionedCall"}
"""What a function may do beside giving its outputs."""
