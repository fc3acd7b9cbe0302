"""Text in HDF5 attributes, however it was written: ``str``, ``bytes``, opaque, 0-d, arrays, or in chunks.

Keras splits a list of names that exceeds the 64 KiB of an object header over ``name0``, ``name1`` and so on.
"""

from __future__ import annotations

import math

import numpy as np
from h5py import h5a, h5g, h5t

from packager.errors import ModelFileError

READ_ERRORS = (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError)
"""What h5py raises where libhdf5 cannot read something."""

_LIMIT = 32 * 2**20
"""Bytes of one attribute; real architectures take up to some 5 MiB."""


def decode(raw: bytes) -> str:
    """Decode a name or text as HDF5 keeps it; bytes that are no UTF-8 stay visible as escapes."""
    return raw.decode("utf-8", "backslashreplace")


def read_text(group: h5g.GroupID, name: str) -> str | None:
    """Return the text of an attribute, chunks joined, ``None`` where there is none."""
    texts = read_texts(group, name)
    return None if texts is None else "".join(texts)


def read_texts(group: h5g.GroupID, name: str) -> tuple[str, ...] | None:
    """Return the texts of an attribute, ``None`` where there is none. Raises ModelFileError."""
    if (texts := _read(group, name)) is not None:
        return texts
    chunks: list[str] = []
    number, room = 0, _LIMIT
    while (texts := _read(group, f"{name}{number}")) is not None:
        chunks += texts
        number += 1
        room -= sum(map(len, texts))
        if room < 0:
            raise _too_large(name)
    return tuple(chunks) if number else None


def _read(group: h5g.GroupID, name: str) -> tuple[str, ...] | None:
    try:
        if not h5a.exists(group, name.encode()):
            return None
        attribute = h5a.open(group, name.encode())
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
        f"attribute {name!r} is larger than {_LIMIT >> 20} MiB", hint="no Keras writes such a file"
    )
