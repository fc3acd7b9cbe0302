"""Golden samples: what a SavedModel is to answer, recorded by whoever made the model.

A file holds arrays ``inputs/NAME`` and ``outputs/NAME``, the batch first. Files of Deeplearning4j's tests
(``*_inputs_and_outputs.h5``) have what the model answered under ``predictions/NAME``, and targets of training
under ``outputs/``: there the predictions are meant.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf

from packager.contract import DAMAGED
from packager.errors import ParityError, UsageError
from packager.savedmodel.given import fitting
from packager.savedmodel.samples import Array
from packager.values import Endpoint, TensorSpec

_AT_ONCE = 64
"""Examples asked for in one request."""
_HINT = "np.savez(FILE, **{'inputs/NAME': array, 'outputs/NAME': array}): all examples of each, batch first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliases:
    """The names that the model itself has for what is published under others."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]

    @classmethod
    def of(cls, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], endpoint: Endpoint) -> Aliases:
        """Pair names by their order; a declaration that adds or drops any leaves none."""
        return cls(
            inputs=_paired([spec.name for spec in inputs], [spec.name for spec in endpoint.inputs]),
            outputs=_paired([spec.name for spec in outputs], list(endpoint.outputs)),
        )


def _paired(own: Sequence[str], published: Sequence[str]) -> dict[str, str]:
    return dict(zip(own, published, strict=True)) if len(own) == len(published) else {}


def measure_golden(
    folder: Path, endpoint: Endpoint, file: Path, *, aliases: Aliases, tolerance: float
) -> float:
    """Ask the SavedModel in ``folder`` what ``file`` holds, and return the largest difference.

    Raises ParityError where an answer is further off than ``tolerance``, absolute and relative, UsageError
    where the file does not fit the signature.
    """
    given, expected = _read(file)
    inputs = _by_published_name(given, [s.name for s in endpoint.inputs], aliases.inputs, "input")
    outputs = _by_published_name(expected, list(endpoint.outputs), aliases.outputs, "output")
    arrays = {spec.name: fitting(spec, inputs[spec.name]) for spec in endpoint.inputs}
    sizes = {len(array) for array in (*arrays.values(), *outputs.values())}
    if len(sizes) != 1 or 0 in sizes:
        raise UsageError(
            f"golden arrays of {', '.join(map(str, sorted(sizes)))} examples", hint="as many for each"
        )
    serve = tf.saved_model.load(str(folder)).signatures[endpoint.key]
    worst = 0.0
    for part in _parts(*sizes, fixed=any(spec.batch() is not None for spec in endpoint.inputs)):
        answers = serve(**{name: tf.constant(array[part]) for name, array in arrays.items()})
        for name, array in outputs.items():
            answer = answers[name].numpy()
            worst = max(worst, _difference(name, answer, array[part], part.start, tolerance))
    return worst


def _parts(total: int, *, fixed: bool) -> Iterator[slice]:
    step = total if fixed else _AT_ONCE
    yield from (slice(begin, begin + step) for begin in range(0, total, step))


def _read(file: Path) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return inputs and expected outputs by name."""
    try:
        arrays = _read_h5(file) if h5py.is_hdf5(file) else _read_npz(file)
    except (OSError, ValueError, KeyError, TypeError, *DAMAGED) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(
            f"cannot read golden samples in {os.fspath(file)!r}: {reason}", hint=_HINT
        ) from error
    inputs = _below(arrays, "inputs")
    outputs = _below(arrays, "predictions") or _below(arrays, "outputs")
    if not inputs or not outputs:
        side = "outputs" if inputs else "inputs"
        raise UsageError(f"no golden {side} in {os.fspath(file)!r}", hint=_HINT)
    return inputs, outputs


def _below(arrays: Mapping[str, Array], folder: str) -> dict[str, Array]:
    return {key.partition("/")[2]: array for key, array in arrays.items() if key.startswith(f"{folder}/")}


def _read_npz(file: Path) -> dict[str, Array]:
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def _read_h5(file: Path) -> dict[str, Array]:
    with h5py.File(file, "r") as golden:
        return {
            f"{folder}/{name}": _numbers(golden[folder], name)
            for folder in ("inputs", "outputs", "predictions")
            if isinstance(golden.get(folder), h5py.Group)
            for name in golden[folder]
        }


def _numbers(group: h5py.Group, name: str) -> Array:
    """Read a dataset, of which all bytes are in this file."""
    if isinstance(group.get(name, getlink=True), h5py.HardLink):
        dataset = group[name]
        if isinstance(dataset, h5py.Dataset) and not dataset.external and not dataset.is_virtual:
            return np.asarray(dataset[()])
    raise ValueError(f"{group.name}/{name} is no dataset of this file")


def _by_published_name(
    found: Mapping[str, Array], wanted: Sequence[str], aliases: Mapping[str, str], side: str
) -> dict[str, Array]:
    """Tell the arrays by the names of the signature; one alone may go by any."""
    if len(found) == len(wanted) == 1:
        return {wanted[0]: next(iter(found.values()))}
    named = {aliases.get(name, name) if name not in wanted else name: array for name, array in found.items()}
    if named.keys() != set(wanted):
        raise UsageError(
            f"golden {side}s {_listed(found)}, and the model has {_listed(wanted)}",
            hint="give the arrays the names of the signature",
        )
    return named


def _difference(name: str, answer: Any, expected: Array, first: int, tolerance: float) -> float:
    if answer.dtype.kind in "OSU":
        wrong = np.asarray(answer, object) != np.asarray(expected, object)
        distance = np.where(wrong, np.inf, 0.0)
    elif answer.shape != expected.shape:
        raise ParityError(
            f"output {name!r} has shape {list(answer.shape)}, the golden one {list(expected.shape)}",
            hint="the golden outputs are of another model, or of another output",
        )
    else:
        actual, wanted = np.asarray(answer, np.float64), np.asarray(expected, np.float64)
        same = (actual == wanted) | (np.isnan(actual) & np.isnan(wanted))
        with np.errstate(invalid="ignore"):
            distance = np.where(same, 0.0, np.abs(actual - wanted))
            wrong = ~same & ~(distance <= tolerance + tolerance * np.abs(wanted))
    if not wrong.any():
        return float(distance.max(initial=0.0))
    ranked = np.where(wrong, np.nan_to_num(distance, nan=np.inf, posinf=np.inf), -1.0)
    place = tuple(int(i) for i in np.unravel_index(int(ranked.argmax()), ranked.shape))
    raise ParityError(
        f"output {name!r} at {[place[0] + first, *place[1:]]} is {answer[place]}, and golden is "
        f"{expected[place]}: off by {distance[place]:.3g}, one of {int(wrong.sum())} wrong in {wrong.size}",
        hint=f"up to {tolerance:g} is allowed, absolute and relative: --golden-tolerance X allows more",
    )


def _listed(names: Any) -> str:
    return ", ".join(map(repr, sorted(names)))
