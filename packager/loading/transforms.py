"""How the numbers of a dataset became those of a variable, found out by comparing the two."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_SPATIAL = {3: (0,), 4: (0, 1), 5: (0, 1, 2)}
"""Axes of a convolution kernel that lie in space, by its number of dimensions."""


def find_transform(stored: Array, loaded: Array) -> str | None:
    """Tell how ``stored`` became ``loaded``, ``None`` where it did not.

    ``copy``, ``transpose 2 3 1 0``, ``flip 0 1``, both, ``reshape``, ``convert`` (the same numbers in
    another order) or ``sum`` (of its halves, as where one bias takes the place of two).
    """
    stored = stored.astype(loaded.dtype)
    if stored.shape == loaded.shape and same(stored, loaded):
        return "copy"
    if 2 * loaded.size == stored.size and same(_halves(stored), loaded.ravel()):
        return "sum"
    if stored.size != loaded.size or not same(np.sort(stored, axis=None), np.sort(loaded, axis=None)):
        return None
    for words, view in _views(stored):
        if view.shape == loaded.shape and same(view, loaded):
            return words
    return "reshape" if same(stored.ravel(), loaded.ravel()) else "convert"


def find_block(stored: Array, loaded: Array, start: int) -> tuple[int, str] | None:
    """Find ``stored`` as the block of ``loaded`` that begins at ``start`` of the last axis.

    Returns its width, and how it was turned, empty where it was not.
    """
    for words, view in _views(stored.astype(loaded.dtype)):
        if view.shape[:-1] == loaded.shape[:-1]:
            end = start + view.shape[-1]
            if same(view, loaded[..., start:end]):
                return view.shape[-1], words
    return None


def same(a: Array, b: Array) -> bool:
    """Tell whether two arrays hold the same numbers, NaN at the same places included."""
    return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


def _halves(stored: Array) -> Array:
    first, second = np.split(stored.ravel(), 2)
    return np.asarray(first + second)


def _views(stored: Array) -> Iterator[tuple[str, Array]]:
    flipped = _SPATIAL.get(stored.ndim, ())
    for order in itertools.permutations(range(stored.ndim)):
        view = stored.transpose(order)
        turned = "" if order == tuple(range(stored.ndim)) else f"transpose {_words(order)}"
        yield turned, view
        if flipped:
            yield f"{turned} flip {_words(flipped)}".strip(), np.flip(view, flipped)


def _words(axes: tuple[int, ...]) -> str:
    return " ".join(map(str, axes))
