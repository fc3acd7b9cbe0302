"""From a rebuilt model to the files of a SavedModel: one traced graph, its weights once, nothing else."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.saved_model.save import save_and_return_nodes

from packager.contract import Sample
from packager.errors import ExportError, ModelFileError, ParityError
from packager.progress import Report, detail, say, silent
from packager.savedmodel.canonical import make_canonical
from packager.savedmodel.inputnames import publish, traced_names
from packager.savedmodel.restoring import add_restoring, drop_unused
from packager.savedmodel.samples import BATCHES, random_requests
from packager.savedmodel.stepwise import StepwiseModel, UnsupportedGraphError
from packager.savedmodel.variables import Tensor, checkpoint_tensors, write_variables
from packager.savedmodel.versions import output_error
from packager.values import Endpoint, Signature, TensorSpec

LOADED_WHOLE = 64 << 20
"""Bytes of variables up to which a SavedModel is loaded as a server loads it, to compare it."""

TOLERANCE = 1e-5
"""Largest difference allowed between the source's and the SavedModel's answer, absolute and relative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    signatures: tuple[Signature, ...]
    """As traced."""
    warnings: tuple[str, ...]
    fallbacks: tuple[str, ...]
    """What could not be done as a stream, and why."""


def export(
    endpoints: Sequence[Endpoint], folder: Path, *, resources: Sequence[Any] = (), report: Report = silent
) -> Exported:
    """Write the SavedModel of ``endpoints`` into the empty ``folder``; ``resources`` are the model's tables.

    Each graph is traced once, in inference mode. Only what they read is saved: no optimizer, no metrics.
    """
    say(report, "tracing the model")
    names = {end.key: traced_names([spec.name for spec in end.inputs]) for end in endpoints}
    functions = {end.key: _traced(end, names[end.key]) for end in endpoints}
    module = tf.Module()
    module.weights = _captured_variables(
        functions.values()
    )  # what a function reads must hang on what is saved
    module.resources = [*endpoints[0].resources, *resources]
    say(report, "writing the SavedModel")
    try:
        with writing(folder):
            tensors = checkpoint_tensors(module)
            fallbacks = _write_graph(module, functions, tensors, folder)
            warnings = write_variables(tensors, folder, report=report)
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
    module: tf.Module, functions: Mapping[str, Any], tensors: Sequence[Tensor], folder: Path
) -> tuple[str, ...]:
    """Write ``saved_model.pb``; tell why a server restores in TensorFlow's own, longer way, where it does."""
    keys = [tensor.key for tensor in tensors if not tensor.key.startswith("_")]
    names = [variable.name.partition(":")[0] for variable in module.weights]
    reason = "tables are restored beside the variables"
    if len(keys) == len(names):
        reason = "two variables have one name"
        lean = tf.saved_model.SaveOptions(experimental_skip_saver=True)
        save_and_return_nodes(module, str(folder), functions, lean, experimental_skip_checkpoint=True)
        file = folder / "saved_model.pb"
        document = saved_model_pb2.SavedModel.FromString(file.read_bytes())
        (graph,) = document.meta_graphs
        if add_restoring(graph, keys, names):
            drop_unused(graph)
            file.write_bytes(document.SerializeToString(deterministic=True))
            return ()
    save_and_return_nodes(module, str(folder), functions, experimental_skip_checkpoint=True)
    return (f"TensorFlow's builder wrote how to restore: {reason}",)


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

    The requests are ``given``, as arrays in the order of the first endpoint's inputs, or drawn at random, one
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


def measure_parity(
    folder: Path, samples: Sequence[Sample], *, report: Report = silent
) -> tuple[float, tuple[str, ...]]:
    """Ask the SavedModel in ``folder``, and return the largest difference from ``samples``.

    One of more than LOADED_WHOLE bytes is asked in steps; returned as well is why not, where that cannot be.
    Raises ParityError where an answer is further off than TOLERANCE.
    """
    say(report, "comparing the SavedModel with its source")
    if sum(file.stat().st_size for file in folder.glob("variables/*")) > LOADED_WHOLE:
        try:
            return _largest_difference(StepwiseModel(folder).ask, samples), ()
        except UnsupportedGraphError as error:
            reason = f"the SavedModel was loaded whole to compare it: {error}"
            detail(report, reason)
            return _largest_difference(_loaded(folder), samples), (reason,)
    return _largest_difference(_loaded(folder), samples), ()


Ask = Callable[[str, Sequence[Mapping[str, Any]]], Sequence[Mapping[str, Any]]]


def _loaded(folder: Path) -> Ask:
    model = tf.saved_model.load(str(folder))
    return lambda key, requests: [model.signatures[key](**request) for request in requests]


def _largest_difference(ask: Ask, samples: Sequence[Sample]) -> float:
    worst = 0.0
    for key in dict.fromkeys(sample.signature for sample in samples):
        asked = [sample for sample in samples if sample.signature == key]
        requests = [{name: tf.constant(a) for name, a in sample.inputs.items()} for sample in asked]
        for sample, answers in zip(asked, ask(key, requests), strict=True):
            for name, expected in sample.outputs.items():
                worst = max(worst, _difference(name, expected, answers[name].numpy()))
    return worst


def _difference(name: str, expected: Any, answer: Any) -> float:
    if expected.dtype.kind in "OSU":
        if not np.array_equal(np.asarray(expected, object), np.asarray(answer, object)):
            raise ParityError(f"output {name!r} of the SavedModel differs from the source model's")
        return 0.0
    if answer.dtype.kind in "fc" and (np.isnan(answer) != np.isnan(expected)).any():
        raise ParityError(
            f"output {name!r} is NaN where the source model's is not, or the other way round",
            hint="weights that hold NaN leave answers to chance: ask for weights of another epoch",
        )
    if not np.allclose(answer, expected, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
        raise ParityError(
            f"output {name!r} differs by {_largest(answer, expected):.3g} from the source model's",
            hint=f"up to {TOLERANCE:g} is allowed, absolute and relative",
        )
    return _largest(answer, expected)


def _largest(a: Any, b: Any) -> float:
    with np.errstate(invalid="ignore"):
        difference = np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64))
    return float(np.nan_to_num(difference).max(initial=0.0))


def _captured_variables(functions: Iterable[Any]) -> list[Any]:
    """Return the variables in the order in which graphs capture them; a graph's own order is by address."""
    found: dict[int, Any] = {}
    for function in functions:
        by_handle = {id(variable.handle): variable for variable in function.variables}
        for handle in function.captured_inputs:
            if id(handle) in by_handle:
                found[id(handle)] = by_handle[id(handle)]
    return list(found.values())


def _traced(endpoint: Endpoint, input_names: Sequence[str]) -> Any:
    def serve(*tensors: Any) -> dict[str, Any]:
        return dict(zip(endpoint.outputs, endpoint.call(tensors), strict=True))

    specs = [
        tf.TensorSpec(spec.shape, spec.dtype, name=name)
        for spec, name in zip(endpoint.inputs, input_names, strict=True)
    ]
    return tf.function(serve, input_signature=specs, autograph=False).get_concrete_function()


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
