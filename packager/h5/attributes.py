"""Text in HDF5 attributes, however it was written: ``str``, ``bytes``, opaque, 0-d, arrays, or in chunks.

Keras splits a list of names that exceeds the 64 KiB of an object header over ``name0``, ``name1`` and so on.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from h5py import h5a, h5d, h5f, h5g, h5t

from packager.errors import ModelFileError

READ_ERRORS = (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError)
"""What h5py raises where libhdf5 cannot read something."""

Location: TypeAlias = h5f.FileID | h5g.GroupID | h5d.DatasetID
"""What has attributes; a file stands for its root group."""

_LIMIT = 32 * 2**20
"""Bytes of one attribute; real architectures take up to some 5 MiB."""
_MOST_CHUNKS = _LIMIT >> 15
"""Pieces of one attribute: Keras fills one nearly to 64 KiB before it begins another."""


def decode(raw: bytes) -> str:
    """Decode a name or text as HDF5 keeps it; bytes that are no UTF-8 stay visible as escapes."""
    return raw.decode("utf-8", "backslashreplace")


def read_text(place: Location, name: str) -> str | None:
    """Return the text of an attribute, chunks joined, ``None`` where there is none."""
    texts = read_texts(place, name)
    return None if texts is None else "".join(texts)


def read_texts(place: Location, name: str) -> tuple[str, ...] | None:
    """Return the texts of an attribute, ``None`` where there is none. Raises ModelFileError."""
    if (texts := _read(place, name)) is not None:
        return texts
    chunks: list[str] = []
    number, room = 0, _LIMIT
    while (texts := _read(place, f"{name}{number}")) is not None:
        chunks += texts
        number += 1
        room -= sum(map(len, texts))
        if room < 0 or number > _MOST_CHUNKS:
            raise _too_large(name)
    return tuple(chunks) if number else None


def _read(place: Location, name: str) -> tuple[str, ...] | None:
    try:
        if not h5a.exists(place, name.encode()):
            return None
        attribute = h5a.open(place, name.encode())
        shape, dtype = attribute.shape, attribute.dtype
        if shape is None:
            return ()
        if math.prod(shape) * dtype.itemsize > _LIMIT:
            raise _too_large(name)
        values = np.zeros(shape, dtype=dtype)
        attribute.read(values, mtype=h5t.py_create(dtype))
        return tuple(map(_text, values.ravel().tolist()))
    except READ_ERRORS as error:
        raise ModelFileError(
            f"the file is damaged: attribute {name!r} cannot be read ({error})",
            hint="copy or download it again",
        ) from error


def _text(item: object) -> str:
    return decode(item) if isinstance(item, bytes) else str(item)


def _too_large(name: str) -> ModelFileError:
    return ModelFileError(
        f"attribute {name!r} is larger than {_LIMIT >> 20} MiB, or in more than {_MOST_CHUNKS:,} pieces",
        hint="no Keras writes such a file",
    )
