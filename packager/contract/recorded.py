"""Compares what was recorded of one model at two places: processors round differently, all else is the same.

Kernels add up in the order that suits a processor and the number of its cores, so the last digits of answers
are no property of the model. Nor are the bytes of a compressed file: systems bring different libraries.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from packager.contract.calls import example_calls
from packager.contract.contract import FILE, FOLDER, Contract, contract_text, read_contract
from packager.contract.samples import Array, Arrays
from packager.errors import ModelFileError
from packager.values import Closeness


def answers_apart(recorded: Path, again: Path, close: Closeness) -> float | None:
    """Return how far the answers in two version folders are apart at most.

    ``None`` where they are not ``close``, or where what is recorded differs in anything else.
    """
    with suppress(ModelFileError):  # what is damaged is not the same
        one, other = read_contract(recorded), read_contract(again)
        if one and other and _with_answers_of(one, other) == (recorded / FOLDER / FILE).read_text("utf-8"):
            return _apart(one, other, close)
    return None


def _with_answers_of(one: Contract, other: Contract) -> str:
    examples = example_calls(other.signatures, one.samples, other.model)
    return contract_text(replace(other, samples=one.samples, examples=examples))


def _apart(one: Contract, other: Contract, close: Closeness) -> float | None:
    if _requests(one) != _requests(other):
        return None
    pairs = [
        (answer, sample.outputs[name])
        for recorded, sample in zip(one.samples, other.samples, strict=True)
        for name, answer in recorded.outputs.items()
    ]
    if not all(_are_close(*pair, close) for pair in pairs):
        return None
    return max((_difference(*pair) for pair in pairs), default=0.0)


def _requests(contract: Contract) -> Any:
    return [(s.signature, _exact(s.inputs), sorted(s.outputs)) for s in contract.samples]


def _exact(arrays: Arrays) -> Any:
    return {
        name: (array.dtype, array.shape, array.tolist() if array.dtype.hasobject else array.tobytes())
        for name, array in arrays.items()
    }


def _are_close(one: Array, other: Array, close: Closeness) -> bool:
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    if one.dtype.kind not in "fc":
        return bool(np.array_equal(one, other))
    return np.allclose(other, one, rtol=close.rtol, atol=close.atol, equal_nan=True)


def _difference(one: Array, other: Array) -> float:
    if one.dtype.kind not in "fc":
        return 0.0
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        return float(np.nan_to_num(np.abs(one - other)).max(initial=0.0))
