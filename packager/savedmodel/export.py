"""From a rebuilt model to the files of a SavedModel: one traced graph, its weights once, nothing else."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from packager.contract import Sample
from packager.errors import ExportError, ParityError
from packager.progress import Report, say, silent
from packager.savedmodel.canonical import make_canonical
from packager.savedmodel.inputnames import publish_names, traced_names
from packager.savedmodel.samples import BATCHES, FREE_DIMENSION, sample_inputs
from packager.savedmodel.versions import output_error
from packager.values import Signature, TensorSpec

Call = Callable[[Sequence[Any]], Sequence[Any]]
"""The source model: tensors in order → tensors in order."""

TOLERANCE = 1e-5
"""Largest difference allowed between the source's and the SavedModel's answer, absolute and relative."""


def export(call: Call, signature: Signature, folder: Path, *, report: Report = silent) -> None:
    """Write the SavedModel of ``call`` under ``signature`` into the empty ``folder``.

    The graph is traced once, in inference mode. Only what it reads is saved: no optimizer, no metrics.
    """
    say(report, "tracing the model")
    published = [spec.name for spec in signature.inputs]
    traced = traced_names(published)
    function = _traced(call, signature, traced)
    module = tf.Module()
    module.weights = _captured_variables(function)  # what a function reads must hang on the saved object
    say(report, "writing the SavedModel")
    try:
        with writing(folder):
            tf.saved_model.save(module, str(folder), signatures={signature.key: function})
    except (ValueError, AssertionError, tf.errors.OpError) as error:
        raise ExportError(
            f"tensorflow cannot save the model: {' '.join(str(error).split())[:300]}",
            hint="packager inspect FILE shows the model's layers",
        ) from error
    if traced != published:
        publish_names(folder, signature.key, dict(zip(traced, published, strict=True)))
    make_canonical(folder)


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
    call: Call, signature: Signature, vocabularies: Sequence[int | None], *, report: Report = silent
) -> tuple[Sample, ...]:
    """Ask the source model one request of each batch size, and keep its answers.

    Raises ExportError where the model answers no request of a plausible size.
    """
    say(report, "asking the source model")
    fixed_batch = any(spec.shape[0] is not None for spec in signature.inputs)
    free_dimensions = any(None in spec.shape[1:] for spec in signature.inputs)
    failure: Exception | None = None
    for free in FREE_DIMENSION if free_dimensions else FREE_DIMENSION[:1]:
        try:
            return tuple(
                _answered(
                    call, signature, sample_inputs(signature.inputs, vocabularies, batch=batch, free=free)
                )
                for batch in (BATCHES[:1] if fixed_batch else BATCHES)
            )
        except Exception as error:  # noqa: BLE001 - whatever a layer raises for a size that it cannot take
            failure = error
    raise ExportError(
        f"the model answers no request: {' '.join(str(failure).split())[:300]}",
        hint="it was tried on random data in the shapes that its inputs declare",
    ) from failure


def _answered(call: Call, signature: Signature, arrays: Sequence[Any]) -> Sample:
    answers = [tensor.numpy() for tensor in call([tf.constant(array) for array in arrays])]
    return Sample(
        signature=signature.key,
        inputs=_named(signature.inputs, arrays),
        outputs=_named(signature.outputs, answers),
    )


def measure_parity(folder: Path, samples: Sequence[Sample]) -> float:
    """Load the SavedModel in ``folder``, ask it, and return the largest difference from ``samples``.

    Raises ParityError where an answer is further off than TOLERANCE.
    """
    loaded = tf.saved_model.load(str(folder))
    worst = 0.0
    for sample in samples:
        inputs = {name: tf.constant(array) for name, array in sample.inputs.items()}
        answers = loaded.signatures[sample.signature](**inputs)
        for name, expected in sample.outputs.items():
            worst = max(worst, _difference(name, expected, answers[name].numpy()))
    return worst


def _difference(name: str, expected: Any, answer: Any) -> float:
    if expected.dtype.kind in "OSU":
        if not np.array_equal(np.asarray(expected, object), np.asarray(answer, object)):
            raise ParityError(f"output {name!r} of the SavedModel differs from the source model's")
        return 0.0
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


def _named(specs: Sequence[TensorSpec], arrays: Sequence[Any]) -> dict[str, Any]:
    return {spec.name: array for spec, array in zip(specs, arrays, strict=True)}


def _captured_variables(function: Any) -> list[Any]:
    """Return the variables in the order in which the graph captures them; the graph's own is by address."""
    by_handle = {id(variable.handle): variable for variable in function.variables}
    return [by_handle[id(handle)] for handle in function.captured_inputs if id(handle) in by_handle]


def _traced(call: Call, signature: Signature, input_names: Sequence[str]) -> Any:
    names = [spec.name for spec in signature.outputs]

    def serve(*tensors: Any) -> dict[str, Any]:
        return dict(zip(names, call(tensors), strict=True))

    specs = [
        tf.TensorSpec(spec.shape, spec.dtype, name=name)
        for spec, name in zip(signature.inputs, input_names, strict=True)
    ]
    return tf.function(serve, input_signature=specs, autograph=False).get_concrete_function()
