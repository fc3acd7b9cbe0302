"""Floating-point outputs as decimal numbers: six digits where they suffice, all of them elsewhere."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

_SPELLINGS = {"nan": "NaN", "-nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def float_texts(values: Sequence[float]) -> list[str]:
    """Write 32-bit floats: ``%.6g`` if that reads as the same float, else ``%.9g``."""
    return _texts(values, "f", "%.9g")


def double_texts(values: Sequence[float]) -> list[str]:
    """Write doubles: ``%.6g`` if that reads as the same double, else ``%.17g``."""
    return _texts(values, "d", "%.17g")


def _texts(values: Sequence[float], code: str, exactly: str) -> list[str]:
    if not values:
        return []
    short = (" ".join(["%.6g"] * len(values)) % tuple(values)).split(" ")
    read_back = array(code, map(float, short))
    return [
        _as_decimal(text if back == value else exactly % value)
        for text, back, value in zip(short, read_back, values, strict=True)
    ]


def _as_decimal(text: str) -> str:
    """Mark a whole number as a decimal, so that all numbers of a list look alike to a client."""
    if "." in text or "e" in text:
        return text
    return _SPELLINGS.get(text) or f"{text}.0"
