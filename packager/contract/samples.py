"""Recorded requests with the answers of the source model, and the JSON that carries them over REST.

Row form lists examples (``instances`` → ``predictions``), columnar form gives whole tensors (``inputs``
→ ``outputs``). https://www.tensorflow.org/tfx/serving/api_rest
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]

DAMAGED = (EOFError, BadZipFile, zlib.error)
"""What numpy raises for a damaged ``.npz`` file, beside OSError, ValueError and KeyError."""

_JSON_KINDS = "biuSUO"
"""Kinds of numpy dtypes that TensorFlow Serving's JSON carries, besides floats of 32 and 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One request and what the source model answers to it; every array has the batch first."""

    signature: str
    inputs: Arrays
    outputs: Arrays

    @property
    def batch(self) -> int:
        """How many examples it holds."""
        return int(next(iter(self.inputs.values())).shape[0])

    @property
    def in_json(self) -> bool:
        """Whether JSON can carry its types."""
        arrays = [*self.inputs.values(), *self.outputs.values()]
        return all(a.dtype.kind in _JSON_KINDS or a.dtype in ("float32", "float64") for a in arrays)

    @property
    def in_rows(self) -> bool:
        """Whether JSON can carry it example by example: row form needs the batch in every tensor."""
        arrays = [*self.inputs.values(), *self.outputs.values()]
        return self.in_json and self.batch > 0 and all(a.ndim > 0 and len(a) == self.batch for a in arrays)


def plain(_name: str, array: Array) -> Any:
    """Return the values of ``array`` as nested lists, quickly."""
    return array.tolist()


def rows(arrays: Arrays, values: Callable[[str, Array], Any] = plain) -> list[dict[str, Any]]:
    """Return one object for each example, with a value for each tensor."""
    whole = columns(arrays, values)
    return [dict(zip(whole, row, strict=True)) for row in zip(*whole.values(), strict=True)]


def columns(arrays: Arrays, values: Callable[[str, Array], Any] = plain) -> dict[str, Any]:
    """Return the whole tensors by name."""
    return {name: values(name, array) for name, array in arrays.items()}


def b64(value: object) -> dict[str, str]:
    """Write bytes as the server reads them; called by ``json`` for what it cannot write itself."""
    if not isinstance(value, bytes):
        raise TypeError(f"no JSON for {type(value).__name__}")
    return {"b64": base64.b64encode(value).decode("ascii")}


def readable(name: str, array: Array) -> Any:
    """Return the values of ``array`` as people write them: the shortest decimals, and text where it is text.

    They are the same to a server. Bytes are ``{"b64": …}`` where they are no text, or ``name`` says bytes.
    """
    if array.dtype.kind in "SUO":
        return _nested(array, lambda value: _text(name, value))
    if array.dtype.kind == "f":
        return _nested(array, lambda value: float(str(value)))
    return array.tolist()


def _nested(array: Array, write: Callable[[Any], Any]) -> Any:
    if array.ndim == 0:
        return write(array[()])
    return [_nested(part, write) if array.ndim > 1 else write(part) for part in array]


def _text(name: str, value: bytes | str) -> Any:
    content = value.encode() if isinstance(value, str) else value
    if not name.endswith("_bytes"):
        try:
            if (text := content.decode()).isprintable():
                return text
        except UnicodeDecodeError:
            return b64(content)
    return b64(content)


def is_finite(arrays: Arrays) -> bool:
    """Tell whether all numbers are ones that strict JSON has."""
    return all(array.dtype.kind != "f" or bool(np.isfinite(array).all()) for array in arrays.values())
