"""From a rebuilt model to the files of a SavedModel: one traced graph, its weights once, nothing else."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.saved_model.save import save_and_return_nodes

from packager.contract import Sample
from packager.errors import ExportError, ModelFileError
from packager.progress import Report, detail, say, silent
from packager.savedmodel.building import build, can_build
from packager.savedmodel.canonical import make_canonical
from packager.savedmodel.inputnames import publish, traced_names
from packager.savedmodel.restoring import add_restoring, drop_unused
from packager.savedmodel.samples import BATCHES, random_requests
from packager.savedmodel.streaming import Streamed, WritingAhead
from packager.savedmodel.tracing import traced
from packager.savedmodel.variables import Tensor, checkpoint_tensors, write_variables
from packager.savedmodel.versions import output_error
from packager.stored import stored_of
from packager.values import Endpoint, Signature, TensorSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    signatures: tuple[Signature, ...]
    """As traced."""
    warnings: tuple[str, ...]
    fallbacks: tuple[str, ...]
    """What could not be done as a stream, and why."""


def export(
    endpoints: Sequence[Endpoint],
    folder: Path,
    *,
    resources: Sequence[Any] = (),
    variables: Sequence[Any] = (),
    ahead: WritingAhead | None = None,
    report: Report = silent,
) -> Exported:
    """Write the SavedModel of ``endpoints`` into the empty ``folder``; ``resources`` are the model's tables.

    Each graph is traced once, in inference mode. Only what they read is saved: no optimizer, no metrics.
    They are in the order of ``variables``, but first come those that are in a file, with which ``ahead`` may
    have begun.
    """
    say(report, "tracing the model")
    names = {end.key: traced_names([spec.name for spec in end.inputs]) for end in endpoints}
    functions = {end.key: traced(end, names[end.key]) for end in endpoints}
    module = tf.Module()
    module.weights = _captured_variables(functions.values(), variables)  # what they read must hang on it
    module.resources = [*endpoints[0].resources, *resources]
    say(report, "writing the SavedModel")
    try:
        with writing(folder):
            tensors = checkpoint_tensors(module)
            fallbacks = _write_graph(module, functions, tensors, folder)
            for reason in fallbacks:
                detail(report, reason)
            warnings = write_variables(tensors, folder, ahead=ahead, report=report)
    except (ValueError, AssertionError, tf.errors.OpError) as error:
        raise ExportError(
            f"tensorflow cannot save the model: {' '.join(str(error).split())[:300]}",
            hint="packager inspect FILE shows the model's layers",
        ) from error
    publish(folder, endpoints, names)
    make_canonical(folder)
    return Exported(
        signatures=tuple(_signature(end, functions[end.key]) for end in endpoints),
        warnings=warnings,
        fallbacks=fallbacks,
    )


def _write_graph(
    module: tf.Module, functions: Mapping[str, Any], tensors: Sequence[Tensor | Streamed], folder: Path
) -> tuple[str, ...]:
    """Write ``saved_model.pb``; tell why a server restores in TensorFlow's own, longer way, where it does."""
    keys = [tensor.key for tensor in tensors if not tensor.key.startswith("_")]
    names = [variable.name.partition(":")[0] for variable in module.weights]
    reason = "tables are restored beside the variables"
    if len(keys) == len(names):
        reason = "two variables have one name"
        document = _without_restoring(module, functions, folder)
        (graph,) = document.meta_graphs
        if add_restoring(graph, keys, names):
            drop_unused(graph)
            (folder / "saved_model.pb").write_bytes(document.SerializeToString(deterministic=True))
            return ()
    usual = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    save_and_return_nodes(module, str(folder), functions, usual, experimental_skip_checkpoint=True)
    return (f"TensorFlow's builder wrote how to restore: {reason}",)


def _without_restoring(module: tf.Module, functions: Mapping[str, Any], folder: Path) -> Any:
    """Return the SavedModel of ``functions``, which has no way yet to read its variables."""
    if not module.resources and can_build(functions.values(), module.weights):
        return build(functions, module.weights)
    lean = tf.saved_model.SaveOptions(experimental_skip_saver=True, experimental_custom_gradients=False)
    save_and_return_nodes(module, str(folder), functions, lean, experimental_skip_checkpoint=True)
    return saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Tell failures of the file system inside as OutputError, TensorFlow's own kinds of them included."""
    try:
        yield
    except OSError as error:
        raise output_error(error, folder.parent) from error
    except tf.errors.ResourceExhaustedError as error:
        raise output_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), folder.parent) from error
    except tf.errors.PermissionDeniedError as error:
        raise output_error(OSError(errno.EACCES, os.strerror(errno.EACCES)), folder.parent) from error


def record_samples(
    endpoints: Sequence[Endpoint],
    given: Sequence[Sequence[Any]] = (),
    *,
    batches: Sequence[int] = BATCHES,
    report: Report = silent,
) -> tuple[Sample, ...]:
    """Ask the source model every endpoint the same requests, and keep its answers.

    The requests are ``given``, as arrays in the order of ``plain`` of the endpoints, or drawn at random, one
    for each of ``batches``. Raises ExportError where the model answers no request of a plausible size.
    """
    say(report, "asking the source model")
    failure: Exception | None = None
    for requests in [given] if given else random_requests(endpoints[0], batches):
        try:
            return tuple(_answered(end, arrays) for end in endpoints for arrays in requests)
        except ModelFileError:  # its weights are read now, and the file is damaged
            raise
        except Exception as error:  # noqa: BLE001 - whatever a layer raises for a size that it cannot take
            failure = error
    raise ExportError(
        f"the model answers no request: {' '.join(str(failure).split())[:300]}",
        hint="it was tried on the samples given, or random data in the shapes that its inputs declare",
    ) from failure


def _answered(endpoint: Endpoint, request: Sequence[Any]) -> Sample:
    arrays = endpoint.encode(request)
    answers = [tensor.numpy() for tensor in endpoint.call([tf.constant(array) for array in arrays])]
    return Sample(
        signature=endpoint.key,
        inputs=dict(zip([spec.name for spec in endpoint.inputs], arrays, strict=True)),
        outputs=dict(zip(endpoint.outputs, answers, strict=True)),
    )


def _captured_variables(functions: Iterable[Any], known: Sequence[Any]) -> list[Any]:
    """Return the variables that graphs capture: those in a file first, then as ``known``, then as captured.

    A graph's own order is by address.
    """
    found: dict[int, Any] = {}
    for function in functions:
        by_handle = {id(variable.handle): variable for variable in function.variables}
        for handle in function.captured_inputs:
            if id(handle) in by_handle:
                found[id(handle)] = by_handle[id(handle)]
    places = {id(variable): place for place, variable in enumerate(known)}
    return sorted(
        found.values(),
        key=lambda variable: (stored_of(variable) is None, places.get(id(variable), len(places))),
    )


def _signature(endpoint: Endpoint, function: Any) -> Signature:
    answers = function.structured_outputs
    return Signature(
        key=endpoint.key,
        method=endpoint.method,
        inputs=endpoint.inputs,
        outputs=tuple(_spec(name, answers[name]) for name in endpoint.outputs),
    )


def _spec(name: str, tensor: Any) -> TensorSpec:
    if tensor.shape.rank is None:
        raise ExportError(
            f"output {name!r} has no fixed number of dimensions", hint="end the model with a Reshape layer"
        )
    return TensorSpec(name=name, dtype=tensor.dtype.name, shape=tuple(tensor.shape.as_list()))
