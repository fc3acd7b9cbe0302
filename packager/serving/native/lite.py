"""A TensorFlow Lite model in place of a SavedModel: run by the interpreter of the tensorflow wheel.

TensorFlow Serving prefers ``model.tflite`` by ``--prefer_tflite_model``. The interpreter is an extension
module of the wheel that needs numpy and nothing of the tensorflow package to be run; images have neither.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from packager.serving.native.dtypes import DType
from packager.serving.native.generated import generated
from packager.serving.native.library import tensorflow_folder
from packager.serving.native.tensors import Tensor
from packager.serving.status import Code, StatusError, invalid_argument

FILE = "model.tflite"

_DEFAULT_SIGNATURE = "serving_default"
_METHOD = "tensorflow/serving/predict"
_MODULE = "lite/python/interpreter_wrapper/_pywrap_tensorflow_interpreter_wrapper.so"
_ALL_OPERATIONS = 1
"""The operations that the wheel brings (``op_resolver_type`` of ``interpreter.py``)."""

_DTYPES = {
    **{name: DType[name.upper()] for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32")},
    **{name: DType[name.upper()] for name in ("int64", "uint64", "bool", "complex64", "complex128")},
    **{"float16": DType.HALF, "float32": DType.FLOAT, "float64": DType.DOUBLE},
    **{"bytes_": DType.STRING, "object_": DType.STRING, "str_": DType.STRING},
}
"""Types by numpy's names."""

_Place = tuple[int, int]
"""Where a tensor is: its subgraph, and its number in there."""


class LiteSession:
    """A loaded model. ``run`` may be called by many threads at once, as many as there are interpreters."""

    quick = False
    """It is run by one thread of its own."""

    def __init__(self, file: Path, *, interpreters: int = 1) -> None:
        """Load ``file``, or raise StatusError."""
        create = _create_interpreter()
        with _refusals():
            made = [
                _Interpreter(create(str(file), _ALL_OPERATIONS, [], False, False))
                for _ in range(interpreters)
            ]
        self._idle: SimpleQueue[_Interpreter] = SimpleQueue()
        for interpreter in made:
            self._idle.put(interpreter)
        self._places: dict[str, _Place] = {}
        self.meta_graph = self._described(made[0].wrapper)

    def run(
        self,
        feeds: Sequence[tuple[str, Tensor]],
        fetches: Sequence[str],
        *,
        timeout_ms: int = 0,  # noqa: ARG002
    ) -> list[Tensor]:
        """Feed tensors by their names and fetch others. There is no time limit, whatever ``timeout_ms``."""
        interpreter = self._idle.get()
        try:
            with _refusals():
                return interpreter.run(
                    [(self._places[name], tensor) for name, tensor in feeds],
                    [self._places[name] for name in fetches],
                )
        finally:
            self._idle.put(interpreter)

    def close(self) -> None:
        """Free the model. No run may be under way."""
        self._idle = SimpleQueue()

    def _described(self, wrapper: Any) -> bytes:
        """Return the signatures as a serialised MetaGraphDef, and note where their tensors are."""
        graph = generated("core.protobuf.meta_graph_pb2").MetaGraphDef()
        for key, (inputs, outputs) in _signatures(wrapper).items():
            definition = graph.signature_def[key]
            definition.method_name = _METHOD
            for aliases, infos in ((inputs, definition.inputs), (outputs, definition.outputs)):
                for alias, place in aliases.items():
                    self._describe(wrapper, place, infos[alias])
        return graph.SerializeToString()  # type: ignore[no-any-return]

    def _describe(self, wrapper: Any, place: _Place, info: Any) -> None:
        subgraph, index = place
        info.name = wrapper.TensorName(index, subgraph)
        info.dtype = _dtype(wrapper.TensorType(index, subgraph))
        info.tensor_shape.SetInParent()
        for size in wrapper.TensorSizeSignature(index, subgraph):
            info.tensor_shape.dim.add(size=int(size))
        self._places[info.name] = place


@dataclass(slots=True)
class _Interpreter:
    """One interpreter, for one run at a time."""

    wrapper: Any
    shapes: dict[_Place, tuple[int, ...]] = field(default_factory=dict)

    def run(self, feeds: Sequence[tuple[_Place, Tensor]], fetches: Sequence[_Place]) -> list[Tensor]:
        """Run the subgraph of the feeds."""
        wrapper, subgraph = self.wrapper, feeds[0][0][0] if feeds else 0
        if any(self.shapes.get(place) != tensor.shape for place, tensor in feeds):
            import numpy as np

            self.shapes.clear()
            for (_, index), tensor in feeds:
                wrapper.ResizeInputTensor(index, np.array(tensor.shape, np.int32), False, subgraph)
            wrapper.AllocateTensors(subgraph)
            self.shapes.update((place, tensor.shape) for place, tensor in feeds)
        for (_, index), tensor in feeds:
            wrapper.SetTensor(index, _to_array(tensor), subgraph)
        wrapper.Invoke(subgraph)
        return [_from_array(wrapper.GetTensor(index, subgraph)) for _, index in fetches]


def _signatures(wrapper: Any) -> Mapping[str, tuple[Mapping[str, _Place], Mapping[str, _Place]]]:
    """Return the inputs and outputs of each signature; a model without any has one, by names of tensors."""
    found = {}
    for key, told in wrapper.GetSignatureDefs().items():
        subgraph = int(wrapper.GetSubgraphIndexFromSignature(key))
        inputs, outputs = (
            {alias: (subgraph, int(index)) for alias, index in told[kind].items()}
            for kind in ("inputs", "outputs")
        )
        found[key] = inputs, outputs
    if found:
        return found
    inputs, outputs = (
        {wrapper.TensorName(int(index), 0): (0, int(index)) for index in indices}
        for indices in (wrapper.InputIndices(), wrapper.OutputIndices())
    )
    return {_DEFAULT_SIGNATURE: (inputs, outputs)}


def _dtype(numpy_type: Any) -> DType:
    return _DTYPES.get(numpy_type.__name__, DType.INVALID)


def _to_array(tensor: Tensor) -> Any:
    import numpy as np

    if tensor.dtype is DType.STRING:
        return np.array(tensor.to_strings(), dtype=np.object_).reshape(tensor.shape)
    name = next((name for name, dtype in _DTYPES.items() if dtype is tensor.dtype), None)
    if name is None:
        raise invalid_argument(f"TensorFlow Lite has no tensors of type {tensor.dtype.label}")
    return np.frombuffer(tensor.to_bytes(), dtype=name).reshape(tensor.shape)


def _from_array(array: Any) -> Tensor:
    if array.dtype.kind in "OS":
        return Tensor.from_strings(array.shape, [bytes(value) for value in array.ravel()])
    return Tensor.from_bytes(_dtype(array.dtype.type), array.shape, array.tobytes())


@contextmanager
def _refusals() -> Iterator[None]:
    """Raise what the interpreter refuses as StatusError."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise invalid_argument(str(error).strip()) from error


@functools.cache
def _create_interpreter() -> Callable[..., Any]:
    """Load the extension module, or raise StatusError."""
    spec = importlib.util.spec_from_file_location(Path(_MODULE).stem, tensorflow_folder() / _MODULE)
    try:
        if spec is None or spec.loader is None:
            raise ImportError(_MODULE)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.CreateWrapperFromFile  # type: ignore[no-any-return]
    except (ImportError, AttributeError) as error:
        raise StatusError(Code.UNIMPLEMENTED, f"this server cannot run TensorFlow Lite: {error}") from error
