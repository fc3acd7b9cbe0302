"""Judges one answered output against the recorded one.

Floats are equal within ``tolerance + tolerance·|recorded|``, NaN and infinities only where the recording
has the same; everything else (whole numbers, truth values, text, bytes) is equal or it is not.
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from packager.errors import NotANumberError, WrongAnswerError

_OTHER_MODEL = (
    "the server holds another model than was recorded, or other weights: build it again, "
    "packager build models/NAME --tag REF"
)
_ROUNDING = 1e-2
"""Relative differences up to here can be another processor's arithmetic; larger ones are another model."""

Array = npt.NDArray[Any]


def compare(output: str, recorded: Array, answered: Any, *, tolerance: float) -> float:
    """Return the largest absolute difference of ``answered``, JSON's nested lists, from ``recorded``.

    Raises WrongAnswerError where they differ in shape, in type or by more than the tolerance.
    """
    cells = np.array(answered, dtype=object)
    if cells.shape != recorded.shape and (cells.size or recorded.size):
        raise WrongAnswerError(
            f"output {output!r} has shape {list(cells.shape)}, the source model's has {list(recorded.shape)}",
            hint=_OTHER_MODEL,
        )
    cells = cells.reshape(recorded.shape)
    if recorded.dtype.kind == "f":
        return _compare_floats(output, recorded.astype(np.float64), cells, tolerance)
    _compare_exactly(output, recorded, cells)
    return 0.0


def decode(cell: Any) -> Any:
    """Return the value that a JSON cell stands for: text and ``{"b64": …}`` as bytes, the rest unchanged.

    Trailing NUL bytes go, because numpy's fixed-width bytes in a recording cannot hold them.
    """
    if isinstance(cell, bytes):
        return cell.rstrip(b"\0")
    if isinstance(cell, str):
        return cell.encode("utf-8", "surrogateescape").rstrip(b"\0")
    if isinstance(cell, dict) and isinstance(cell.get("b64"), str):
        try:
            return base64.b64decode(cell["b64"], validate=True).rstrip(b"\0")
        except binascii.Error:
            return cell
    return cell


def _compare_floats(output: str, recorded: Array, cells: Array, tolerance: float) -> float:
    answered = _floats(output, recorded, cells)
    with np.errstate(invalid="ignore"):  # infinity minus infinity, zero times infinity
        distance = np.abs(answered - recorded)
        allowed = tolerance + tolerance * np.abs(recorded)
    same = (answered == recorded) | (np.isnan(answered) & np.isnan(recorded))
    close = np.isfinite(recorded) & (distance <= allowed)
    distance = np.where(same, 0.0, np.where(np.isnan(distance), np.inf, distance))
    wrong = ~(same | close)
    if wrong.any():
        worst = np.unravel_index(int(np.argmax(np.where(wrong, distance, -1.0))), distance.shape)
        kind = NotANumberError if np.isnan(answered[worst]) else WrongAnswerError
        raise kind(
            f"{_difference(output, worst, answered[worst], recorded[worst])}; the largest difference is "
            f"{distance[worst]:.3g}, {wrong.sum()} of {wrong.size} values are off by more than {tolerance:g}",
            hint=_numeric_hint(distance[wrong], recorded[wrong]),
        )
    return float(distance.max(initial=0.0))


def _floats(output: str, recorded: Array, cells: Array) -> Array:
    for index, cell in np.ndenumerate(cells):
        if not _is_number(cell):
            raise WrongAnswerError(_difference(output, index, cell, recorded[index]), hint=_OTHER_MODEL)
    return cells.astype(np.float64)


def _is_number(cell: Any) -> bool:
    return type(cell) is float or (type(cell) is int and cell.bit_length() < 1024)


def _compare_exactly(output: str, recorded: Array, cells: Array) -> None:
    for index, value in np.ndenumerate(recorded.astype(object)):
        answered, expected = decode(cells[index]), decode(value)
        if type(answered) is not type(expected) or answered != expected:
            raise WrongAnswerError(_difference(output, index, answered, expected), hint=_OTHER_MODEL)


def _difference(output: str, index: tuple[Any, ...], answered: Any, recorded: Any) -> str:
    where = f" at {[int(i) for i in index]}" if index else ""
    return (
        f"output {output!r} is wrong{where}: the server says {_shown(answered)}, "
        f"the source model said {_shown(recorded)}"
    )


def _shown(value: Any) -> str:
    if not isinstance(value, float):
        return repr(value)[:200]
    text = f"{value:.9g}"
    return f"{text}.0" if text.lstrip("-").isdigit() else text


def _numeric_hint(distance: Array, recorded: Array) -> str:
    with np.errstate(invalid="ignore"):  # infinity over infinity
        needed = float(np.max(distance / (1 + np.abs(recorded))))
    if not needed <= _ROUNDING:  # NaN as well
        return _OTHER_MODEL
    enough = f"1e{math.ceil(math.log10(needed))}"
    return f"if another processor's rounding explains it, allow it: --tolerance {enough}"
