"""A SavedModel as a source: the function behind one of its signatures, as a model that answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

from packager.errors import ModelLoadError
from packager.loading.model import LoadedModel, ModelInput
from packager.loading.resources import resources_of
from packager.values import Binding, Inspection, TensorSpec

_CHECKPOINT = "variables/variables"
_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
_SERVE = "serve"
DEFAULT_KEY = "serving_default"


def name_of_loader() -> str:
    """Return the library with its version."""
    return f"tensorflow {tf.__version__}"


def load(inspection: Inspection) -> LoadedModel:
    """Load an inspected SavedModel, to answer as its default signature does."""
    folder = inspection.path
    loaded = load_whole(folder)
    key = DEFAULT_KEY if DEFAULT_KEY in loaded.signatures else min(loaded.signatures)
    function = loaded.signatures[key]
    answers = function.structured_outputs
    variables = variables_of([function])
    left_out = sorted(other for other in loaded.signatures if other != key)
    return LoadedModel(
        call=caller(loaded, key, [spec.name for spec in inspection.inputs], inspection.outputs),
        hold=lambda: False,
        resources=resources_of(loaded),
        inputs=tuple(ModelInput(spec=spec) for spec in inspection.inputs),
        outputs=tuple(_spec(name, answers[name]) for name in inspection.outputs),
        bindings=bind(folder, loaded, variables),
        parameters=count(variables),
        loader=name_of_loader(),
        warnings=(
            *not_finite(variables),
            *(f"signature {other!r} of the source is left out: {key!r} is signed anew" for other in left_out),
        ),
    )


def _spec(name: str, tensor: Any) -> TensorSpec:
    shape = () if tensor.shape.rank is None else tuple(tensor.shape.as_list())
    return TensorSpec(name=name, dtype=tensor.dtype.name, shape=shape)


def load_whole(folder: Path) -> Any:
    """Load it as TensorFlow does. Raises ModelLoadError."""
    try:
        return tf.saved_model.load(str(folder), tags=[_SERVE])
    except Exception as error:  # whatever a graph of an older TensorFlow, or a damaged checkpoint, runs into
        text = " ".join(str(error).split())
        raise ModelLoadError(
            f"{name_of_loader()} cannot load {str(folder)!r}: {text[:200]}",
            hint="a server may all the same: copy it to models/NAME/1, and packager build models/NAME",
            details=text[:2000],
        ) from error


def caller(
    loaded: Any, key: str, inputs: Sequence[str], outputs: Sequence[str]
) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Return what asks a loaded model's signature, with tensors in the order of ``inputs`` and ``outputs``.

    It holds the model, for a function by itself does not hold its variables.
    """

    def call(tensors: Sequence[Any]) -> Sequence[Any]:
        answers = loaded.signatures[key](**dict(zip(inputs, map(tf.convert_to_tensor, tensors), strict=True)))
        return [answers[name] for name in outputs]

    return call


def variables_of(functions: Iterable[Any]) -> list[Any]:
    """Return the variables that any of ``functions`` reads, each once."""
    return list({id(v.handle): v for function in functions for v in function.variables}.values())


def count(variables: Iterable[Any]) -> int:
    """Return how many numbers they hold."""
    return sum(int(np.prod(variable.shape.as_list())) for variable in variables)


def not_finite(variables: Iterable[Any]) -> list[str]:
    """Warn of variables that hold what is no number."""
    floats = (variable for variable in variables if variable.dtype.is_floating)
    return [
        f"weights {_name(variable)} hold NaN or infinity"
        for variable in floats
        if not tf.reduce_all(tf.math.is_finite(tf.cast(variable, tf.float32)))
    ]


def bind(folder: Path, loaded: Any, variables: Sequence[Any]) -> tuple[Binding, ...]:
    """Tell of each of a loaded model's variables which entry of the checkpoint it comes from."""
    if not variables:
        return ()
    reader = tf.train.load_checkpoint(str(folder / _CHECKPOINT))
    held = reader.get_variable_to_shape_map()
    if _OBJECTS in held:
        keys = _keys(loaded, TrackableObjectGraph.FromString(reader.get_tensor(_OBJECTS)))
    else:  # TensorFlow 1 kept variables by their names
        keys = {id(v.handle): _name(v) for v in variables if _name(v) in held}
    return tuple(
        Binding(
            variable=_name(variable),
            shape=tuple(variable.shape.as_list()),
            dtype=variable.dtype.name,
            dataset=f"{_CHECKPOINT}:{keys[id(variable.handle)]}",
            transform="copy",
        )
        for variable in variables
        if id(variable.handle) in keys
    )


def _keys(loaded: Any, objects: Any) -> Mapping[int, str]:
    """Return keys by handles of variables: the checkpoint's objects hang together as the loaded ones do."""
    view = tf.train.TrackableView(loaded)
    found, waiting = {0: loaded}, deque([0])
    while waiting:
        number = waiting.popleft()
        children = view.children(found[number])
        for child in objects.nodes[number].children:
            if child.node_id not in found and child.local_name in children:
                found[child.node_id] = children[child.local_name]
                waiting.append(child.node_id)
    return {
        id(held.handle): attribute.checkpoint_key
        for number, held in found.items()
        if isinstance(held, tf.Variable)
        for attribute in objects.nodes[number].attributes
    }


def _name(variable: Any) -> str:
    return str(variable.name.removesuffix(":0"))
