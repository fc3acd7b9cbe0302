"""Text in HDF5 attributes, however it was written: ``str``, ``bytes``, opaque, 0-d, arrays, or in chunks.

Keras splits a list of names that exceeds the 64 KiB of an object header over ``name0``, ``name1`` and so on.
"""

from __future__ import annotations

import math

import h5py
import numpy as np
from h5py import h5a

from packager.errors import ModelFileError

READ_ERRORS = (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError)
"""What h5py raises where libhdf5 cannot read something."""

_LIMIT = 32 * 2**20
"""Bytes of one attribute; real architectures take up to some 5 MiB."""


def decode(raw: bytes) -> str:
    """Decode a name or text as HDF5 keeps it; bytes that are no UTF-8 stay visible as escapes."""
    return raw.decode("utf-8", "backslashreplace")


def read_text(group: h5py.h5g.GroupID, name: str) -> str | None:
    """Return the text of an attribute, chunks joined, ``None`` where there is none."""
    texts = read_texts(group, name)
    return None if texts is None else "".join(texts)


def read_texts(group: h5py.h5g.GroupID, name: str) -> tuple[str, ...] | None:
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


def _read(group: h5py.h5g.GroupID, name: str) -> tuple[str, ...] | None:
    try:
        if not h5a.exists(group, name.encode()):
            return None
        attribute = h5a.open(group, name.encode())
        if math.prod(attribute.shape) * attribute.get_type().get_size() > _LIMIT:
            raise _too_large(name)
        return _texts(h5py.AttributeManager(h5py.Group(group))[name])
    except READ_ERRORS as error:
        raise ModelFileError(
            f"the file is damaged: attribute {name!r} cannot be read ({error})",
            hint="copy or download it again",
        ) from error


def _too_large(name: str) -> ModelFileError:
    return ModelFileError(
        f"attribute {name!r} is larger than {_LIMIT >> 20} MiB", hint="no Keras writes such a file"
    )


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, h5py.Empty):
        return ()
    return tuple(_text(item) for item in np.asarray(value).ravel().tolist())


def _text(item: object) -> str:
    if isinstance(item, bytes):
        return decode(item)
    # h5py hands on bytes of a str that are no UTF-8 as surrogates, which nothing else could write out again
    return decode(str(item).encode("utf-8", "surrogateescape"))
