"""Whether a SavedModel answers as the model that it was made from, output by output, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from packager.contract import Sample
from packager.errors import ParityError
from packager.progress import Report, detail, say, silent
from packager.savedmodel.steps import UnsupportedGraphError
from packager.savedmodel.stepwise import StepwiseModel
from packager.values import Closeness, Deviation

LOADED_WHOLE = 64 << 20
"""Bytes of variables up to which a SavedModel is loaded as a server loads it, to compare it."""

Ask = Callable[[str, Sequence[Mapping[str, Any]]], Sequence[Mapping[str, Any]]]
"""The key of a signature and requests, inputs by name → their answers, outputs by name."""


def measure_parity(
    folder: Path, samples: Sequence[Sample], *, close: Closeness, report: Report = silent
) -> tuple[tuple[Deviation, ...], tuple[str, ...]]:
    """Ask the SavedModel in ``folder``, and return how far each output is from ``samples``.

    One of more than LOADED_WHOLE bytes is asked in steps; returned as well is why not, where that cannot be.
    Raises ParityError where an answer is further off than ``close``.
    """
    say(report, "comparing the SavedModel with its source")
    if sum(file.stat().st_size for file in folder.glob("variables/*")) > LOADED_WHOLE:
        try:
            return compare_answers(StepwiseModel(folder).ask, samples, close=close), ()
        except UnsupportedGraphError as error:
            reason = f"the SavedModel was loaded whole to compare it: {error}"
            detail(report, reason)
            return compare_answers(_loaded(folder), samples, close=close), (reason,)
    return compare_answers(_loaded(folder), samples, close=close), ()


def _loaded(folder: Path) -> Ask:
    model = tf.saved_model.load(str(folder))
    return lambda key, requests: [model.signatures[key](**request) for request in requests]


def compare_answers(ask: Ask, samples: Sequence[Sample], *, close: Closeness) -> tuple[Deviation, ...]:
    """Return the largest difference of each output of each signature, over all ``samples``.

    Raises ParityError for the first that is further off than ``close``.
    """
    worst: dict[tuple[str, str], float] = {}
    for signature in dict.fromkeys(sample.signature for sample in samples):
        asked = [sample for sample in samples if sample.signature == signature]
        requests = [{name: tf.constant(a) for name, a in sample.inputs.items()} for sample in asked]
        for sample, answers in zip(asked, ask(signature, requests), strict=True):
            for name, expected in sample.outputs.items():
                key = (signature, name)
                found = _difference(key, expected, answers[name].numpy(), close)
                worst[key] = max(worst.get(key, 0.0), found)
    return tuple(
        Deviation(signature=signature, output=name, largest=largest)
        for (signature, name), largest in worst.items()
    )


def _difference(key: tuple[str, str], expected: Any, answer: Any, close: Closeness) -> float:
    what = f"output {key[1]!r} of signature {key[0]!r}"
    if expected.shape != answer.shape:
        raise ParityError(
            f"{what} has shape {list(answer.shape)}, the source model's has {list(expected.shape)}",
            hint="packager inspect FILE shows the model's layers",
        )
    if expected.dtype.kind in "OSUbiu":
        return _unequal(what, expected, answer)
    if answer.dtype.kind in "fc" and (np.isnan(answer) != np.isnan(expected)).any():
        raise ParityError(
            f"{what} is NaN where the source model's is not, or the other way round",
            hint="weights that hold NaN leave answers to chance: ask for weights of another epoch",
        )
    if not np.allclose(answer, expected, rtol=close.rtol, atol=close.atol, equal_nan=True):
        raise ParityError(
            f"{what} differs by {_largest(answer, expected):.3g} from the source model's",
            hint=f"allowed are --atol {close.atol:g} and --rtol {close.rtol:g}",
        )
    return _largest(answer, expected)


def _unequal(what: str, expected: Any, answer: Any) -> float:
    """Compare what is equal or is not: text, whole numbers, truth values."""
    expected, answer = np.asarray(expected, object), np.asarray(answer, object)
    different = np.asarray(expected != answer)
    if different.any():
        where = tuple(int(i) for i in np.argwhere(different)[0])
        raise ParityError(
            f"{what} is {answer[where]!r} at {list(where)}, the source model's is {expected[where]!r}",
            hint="scores that are equal but for rounding can order classes otherwise: try other --samples",
        )
    return 0.0


def _largest(a: Any, b: Any) -> float:
    with np.errstate(invalid="ignore"):
        difference = np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64))
    return float(np.nan_to_num(difference).max(initial=0.0))
