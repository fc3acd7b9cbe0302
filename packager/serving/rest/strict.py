"""Turns JSON values into tensors one by one, with TensorFlow Serving's words for whatever is wrong.

The order of the checks and their texts follow ``json_tensor.cc``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from packager.serving.native.dtypes import DType
from packager.serving.native.tensors import MAX_RANK, Tensor
from packager.serving.rest.debug_text import debug_text, type_name
from packager.serving.rest.dense import pack
from packager.serving.rest.strings import decode_base64, is_base64_object, to_bytes
from packager.serving.status import Code, StatusError, invalid_argument

_RANGES = {
    DType.UINT32: range(2**32),
    DType.UINT64: range(2**64),
    DType.INT64: range(-(2**63), 2**63),
    **dict.fromkeys((DType.INT8, DType.UINT8, DType.INT16, DType.INT32), range(-(2**31), 2**31)),
}


@dataclass(slots=True)
class Elements:
    """The elements of one tensor, or of its part in one instance, in row-major order."""

    dtype: DType
    shape: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    @classmethod
    def of(cls, value: Any, dtype: DType) -> Elements:
        """Collect the elements of nested lists, or raise StatusError."""
        elements = cls(dtype, _shape(value))
        elements._collect(value)
        return elements

    def _collect(self, root: Any) -> None:
        pending = [(root, 0)]
        rank = len(self.shape)
        while pending:
            value, level = pending.pop()
            if not isinstance(value, list):
                if level != rank:
                    raise invalid_argument(
                        f"JSON Value: {debug_text(value)} found at incorrect level: {level + 1} "
                        f"in the JSON DOM. Expected at level: {rank}"
                    )
                self.values.append(_element(value, self.dtype))
            elif level >= rank:
                raise invalid_argument(f"Encountered list at unexpected level: {level} expected < {rank}")
            elif len(value) != self.shape[level]:
                raise invalid_argument(
                    f"Encountered list at unexpected size: {len(value)} at level: {level} "
                    f"expected size: {self.shape[level]}"
                )
            else:
                pending.extend((element, level + 1) for element in reversed(value))


def make_tensor(name: str, dtype: DType, shape: Sequence[int], values: Sequence[Any]) -> Tensor:
    """Make the tensor of an input, or raise StatusError."""
    if len(shape) > MAX_RANK or prod(shape) != len(values):
        raise invalid_argument(f"tensor parsing error: {name}")
    if dtype is DType.STRING:
        return Tensor.from_strings(shape, values)
    return Tensor.from_bytes(dtype, shape, pack(values, dtype))


def _shape(value: Any) -> list[int]:
    shape: list[int] = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return shape


def _element(value: Any, dtype: DType) -> Any:
    """Return a value as an element of a tensor, or raise StatusError."""
    if isinstance(value, dict):
        return _bytes_value(value, dtype)
    match dtype:
        case DType.FLOAT | DType.DOUBLE:
            accepted = isinstance(value, int | float) and not isinstance(value, bool)
        case DType.STRING:
            accepted = isinstance(value, str)
        case DType.BOOL:
            accepted = isinstance(value, bool)
        case _ if dtype in _RANGES:
            accepted = type(value) is int and value in _RANGES[dtype]
        case _:
            raise StatusError(
                Code.UNIMPLEMENTED, f"Conversion of JSON Value: {debug_text(value)} to type: {dtype.label}"
            )
    if not accepted:
        raise _type_error(value, dtype)
    return to_bytes(value) if dtype is DType.STRING else value


def _bytes_value(value: dict[str, Any], dtype: DType) -> bytes:
    if dtype is not DType.STRING:
        raise _type_error(value, dtype)
    if not is_base64_object(value):
        raise invalid_argument(f"JSON Value: {debug_text(value)} not formatted correctly for base64 data")
    return decode_base64(value["b64"])


def _type_error(value: Any, dtype: DType) -> StatusError:
    return invalid_argument(
        f"JSON Value: {debug_text(value)} Type: {type_name(value)} is not of expected type: {dtype.label}"
    )
