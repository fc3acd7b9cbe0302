"""Turns regular JSON arrays into tensors fast; what is not plainly right is for the strict reader."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain
from typing import Any

from packager.serving.native.dtypes import ARRAY_CODES, DType
from packager.serving.native.tensors import MAX_RANK, Tensor
from packager.serving.rest.strings import decode_base64, is_base64_object, to_bytes

_ACCEPTED: dict[DType, frozenset[type]] = {
    DType.FLOAT: frozenset((int, float)),
    DType.DOUBLE: frozenset((int, float)),
    DType.STRING: frozenset((str, dict)),
    DType.BOOL: frozenset((bool,)),
    **dict.fromkeys(
        (DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.INT64, DType.UINT32, DType.UINT64),
        frozenset((int,)),
    ),
}
"""The types of the JSON values that an input of a type takes; a type that is missing takes none."""

_NARROW = {DType.INT8: "B", DType.UINT8: "B", DType.INT16: "H"}
"""Types whose values are read as 32-bit integers, of which the low part is kept (``json_tensor.cc``)."""


class IrregularError(ValueError):
    """The values do not plainly make a tensor: the strict reader will say why, or read them."""


def tensor(value: Any, dtype: DType) -> Tensor:
    """Make a tensor of nested lists of equal lengths, or of a scalar; raise IrregularError otherwise."""
    shape, elements = _flatten(value)
    if dtype not in _ACCEPTED or not _ACCEPTED[dtype].issuperset(map(type, elements)):
        raise IrregularError
    if dtype is DType.STRING:
        return Tensor.from_strings(shape, [_string_value(element) for element in elements])
    try:
        return Tensor.from_bytes(dtype, shape, pack(elements, dtype))
    except OverflowError as error:
        raise IrregularError from error


def pack(elements: Sequence[Any], dtype: DType) -> bytes:
    """Return numbers or booleans as they lie in a tensor; OverflowError if an integer is out of range."""
    if dtype is DType.BOOL:
        return bytes(elements)
    if dtype not in _NARROW:
        return array(ARRAY_CODES[dtype], elements).tobytes()
    code = _NARROW[dtype]
    parts = array(code, array("i", elements).tobytes())
    return parts[:: 4 // parts.itemsize].tobytes()  # little-endian: the low part comes first


def _string_value(element: Any) -> bytes:
    """Return the bytes of a string or Base64 object."""
    if isinstance(element, str):
        return to_bytes(element)
    if not is_base64_object(element):
        raise IrregularError
    return decode_base64(element["b64"])


def _flatten(value: Any) -> tuple[list[int], list[Any]]:
    """Return the shape of nested lists and their elements in one list."""
    shape: list[int] = []
    elements = [value]
    while type(elements[0]) is list and len(shape) < MAX_RANK:
        lengths = set(map(len, elements)) if {list}.issuperset(map(type, elements)) else set()
        if len(lengths) != 1:
            raise IrregularError
        shape += lengths
        elements = list(chain.from_iterable(elements))
        if not elements:
            break
    return shape, elements
