"""Reads requests to predict: the elements of large tensors go straight from the request into their tensors.

By way of protobuf and TensorFlow they would be copied four times, which costs more than all else that the
server does for such a request. What is not written as clients write it is left to those two.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from packager.protocol import message
from packager.serving.native.dtypes import ARRAY_CODES, DType
from packager.serving.native.tensors import MAX_RANK, Tensor

LARGE = 2**16
"""Bytes of what is worth reading here."""

_MOST_FIELDS = 100
"""Of one message; with more it is not of a usual client's."""
_VARINT, _BYTES = 0, 2
"""Wire types: a number of variable length, and what begins with its length."""

_INPUTS = 2 << 3 | _BYTES
_ALIAS, _TENSOR = 1 << 3 | _BYTES, 2 << 3 | _BYTES
"""The two fields of one of the inputs."""
_DTYPE, _SHAPE, _VERSION = 1 << 3 | _VARINT, 2 << 3 | _BYTES, 3 << 3 | _VARINT
_CONTENT, _FLOATS, _DOUBLES = 4 << 3 | _BYTES, 5 << 3 | _BYTES, 6 << 3 | _BYTES
"""The fields of a TensorProto."""

_SIZES = {dtype: array(code).itemsize for dtype, code in ARRAY_CODES.items()} | {DType.HALF: 2}
"""Bytes of an element, for types that take any bytes."""
_OF_ONE_TYPE = {_FLOATS: DType.FLOAT, _DOUBLES: DType.DOUBLE}


class _UnusualError(Exception):
    """Something is not written as clients write it."""


class _Field(NamedTuple):
    """Where a field is: its key, and its value."""

    key: int
    at: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """A request to predict, and its inputs: large tensors as such, any other as a serialised TensorProto."""

    message: Any
    """All but the large tensors."""
    inputs: Mapping[str, Tensor | bytes]

    @classmethod
    def parse(cls, serialised: bytes) -> PredictRequest:
        """Read a serialised PredictRequest, or raise protobuf's DecodeError."""
        if len(serialised) >= LARGE:
            try:
                return cls(*_with_tensors(serialised))
            except _UnusualError:
                pass  # as protobuf reads it
        request = message("PredictRequest").FromString(serialised)
        return cls(request, request.inputs)

    @property
    def model_spec(self) -> Any:
        """Which model to ask, and by which signature."""
        return self.message.model_spec


def _with_tensors(serialised: bytes) -> tuple[Any, Mapping[str, Tensor | bytes]]:
    """Read a request with large tensors among its inputs, or raise DecodeError or _UnusualError."""
    rest, tensors = [], []
    for field in _fields(serialised, 0, len(serialised)):
        if field.end - field.start < LARGE:
            rest.append(serialised[field.at : field.end])
        elif field.key == _INPUTS:
            tensors.append(_input(serialised, field))
        else:
            raise _UnusualError
    request = message("PredictRequest").FromString(b"".join(rest))
    inputs = {**request.inputs, **dict(tensors)}
    if len(inputs) < len(request.inputs) + len(tensors):
        raise _UnusualError  # one is there twice: the last one counts
    return request, inputs


def _input(data: bytes, field: _Field) -> tuple[str, Tensor]:
    """Read an input's alias and its tensor."""
    parts = list(_fields(data, field.start, field.end))
    if [part.key for part in parts] != [_ALIAS, _TENSOR]:
        raise _UnusualError
    alias, tensor = parts
    try:
        return data[alias.start : alias.end].decode(), _tensor(data, tensor)
    except (UnicodeDecodeError, DecodeError) as error:
        raise _UnusualError from error


def _tensor(data: bytes, field: _Field) -> Tensor:
    """Read a TensorProto with all of its elements in one place, as they lie in memory."""
    elements, head = [], b""
    for part in _fields(data, field.start, field.end):
        if part.key in (_DTYPE, _SHAPE, _VERSION) and part.end - part.start < LARGE:
            head += data[part.at : part.end]
        else:
            elements.append(part)
    proto = message("TensorProto").FromString(head)
    shape = [dimension.size for dimension in proto.tensor_shape.dim]
    if len(elements) != 1 or proto.tensor_shape.unknown_rank or len(shape) > MAX_RANK:
        raise _UnusualError
    ((key, _, start, end),) = elements
    size = _SIZES.get(proto.dtype, 0)
    if key != _CONTENT and _OF_ONE_TYPE.get(key) != proto.dtype:
        raise _UnusualError
    if min(shape, default=0) < 0 or end == start or prod(shape) * size != end - start:
        raise _UnusualError
    return Tensor.from_bytes(DType(proto.dtype), shape, data, start=start, end=end)


def _fields(data: bytes, at: int, end: int) -> Iterator[_Field]:
    """Find the fields of a message that lies in ``data``."""
    for _ in range(_MOST_FIELDS):
        if at == end:
            return
        key, start = _varint(data, at)
        number, start_of_bytes = _varint(data, start)
        if key & 7 == _BYTES:
            field = _Field(key, at, start_of_bytes, start_of_bytes + number)
        elif key & 7 == _VARINT:
            field = _Field(key, at, start, start_of_bytes)
        else:
            raise _UnusualError
        if field.end > end:
            raise _UnusualError
        yield field
        at = field.end
    raise _UnusualError


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of at most 28 bits, seven a byte, and return it with where it ends."""
    number = 0
    for shift in range(0, 28, 7):
        if at >= len(data):
            raise _UnusualError
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise _UnusualError
