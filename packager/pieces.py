"""Arithmetic with arrays that stay in their file: of a large one, a piece is in memory at a time.

The source model and the SavedModel are both asked this way, with the same pieces: what they answer differs
from an answer with the whole array by rounding, and from each other's by nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from packager.stored import ALIGNMENT, StoredArray

PIECE = 4 << 20
"""Bytes of an array that are read at a time."""

_KNOWN_TO_DLPACK = "fiu"


def is_large(stored: StoredArray) -> bool:
    """Tell whether an array is worth being read in pieces."""
    return stored.ndim == 2 and stored.nbytes > 2 * PIECE


def as_tensor(array: Any) -> Any:
    """Return a tensor of ``array``'s numbers, in the same memory where TensorFlow can use it."""
    if array.dtype.kind in _KNOWN_TO_DLPACK and array.ctypes.data % ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.constant(array)


def multiplied(tensors: Sequence[Any], stored: StoredArray, *, transposed: bool = False) -> list[Any]:
    """Multiply the last axis of each of ``tensors`` with a matrix, or with one that is ``transposed``.

    The matrix is read once.
    """
    rows = [tf.reshape(x, [-1, x.shape[-1]]).numpy() for x in tensors]  # of an array, a slice costs nothing
    answers: list[list[Any]] = [[] for _ in rows]
    for begin, piece in stored.pieces(PIECE):
        part = as_tensor(piece)
        for x, found in zip(rows, answers, strict=True):
            if transposed:
                found.append(tf.raw_ops.MatMul(a=x, b=part, transpose_b=True))
            else:
                product = tf.raw_ops.MatMul(a=x[:, begin : begin + len(piece)], b=part)
                found[:] = [tf.raw_ops.AddV2(x=found[0], y=product) if found else product]
    width = stored.shape[0 if transposed else 1]
    return [
        tf.reshape(tf.concat(found, axis=-1) if transposed else found[0], [*x.shape[:-1], width])
        for x, found in zip(tensors, answers, strict=True)
    ]


def gathered(stored: StoredArray, indices: Sequence[Any]) -> list[Any]:
    """Return the rows of an array that each of ``indices`` names, read once."""
    asked = np.concatenate([tensor.numpy().ravel() for tensor in indices])
    wanted, places = np.unique(asked, return_inverse=True)
    if len(wanted) and not 0 <= wanted[0] <= wanted[-1] < stored.shape[0]:
        raise tf.errors.InvalidArgumentError(
            None, None, f"indices {wanted[0]} to {wanted[-1]} are not all in [0, {stored.shape[0]})"
        )
    rows = as_tensor(stored.rows(wanted, PIECE))
    ends = np.cumsum([np.size(tensor) for tensor in indices])[:-1]
    return [
        tf.gather(rows, place.reshape(tensor.shape))
        for place, tensor in zip(np.split(places.ravel(), ends), indices, strict=True)
    ]
