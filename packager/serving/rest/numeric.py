"""Reads large requests that are all numbers, by simdjson, which makes an object of none of them.

What is read here is read as by the other readers; whatever is not plainly regular is left to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from simdjson import Array, Object

from packager.serving.native.casting import float_tensor
from packager.serving.native.dtypes import DType
from packager.serving.native.signatures import Signature
from packager.serving.native.tensors import MAX_RANK, Tensor
from packager.serving.rest.dense import IrregularError, pack
from packager.serving.rest.parsing import Parsing
from packager.serving.rest.requests import FindSignature, PredictRequest

_LEAST_BYTES_OF_ROW = 1024
"""Rows that are objects are quicker as Python's where they are smaller."""

_OF_NUMBERS = b"0123456789.+-eE \t\r\n"
"""What numbers are written with, and white space."""

_KINDS = {
    DType.FLOAT: "d",  # not DOUBLE: RapidJSON reads some a unit in the last place off
    **dict.fromkeys((DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.INT64, DType.UINT32), "i"),
    DType.UINT64: "u",
}
"""What simdjson reads the numbers of each type as: doubles, or 64-bit integers with or without a sign."""
_SIZE = 8
"""Bytes of each of them."""

_parsing = Parsing()


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The numbers of an input, or of one row of it, and the brackets and commas around them."""

    shape: tuple[int, ...]
    data: memoryview
    frame: bytes

    def tensor(self, dtype: DType) -> Tensor:
        """Make a tensor, or raise IrregularError."""
        match dtype:
            case DType.FLOAT:
                return float_tensor(self.shape, self.data)
            case DType.INT64 | DType.UINT64:
                return Tensor.from_bytes(dtype, self.shape, bytes(self.data))
        try:
            return Tensor.from_bytes(dtype, self.shape, pack(self.data.cast("q"), dtype))
        except OverflowError as error:
            raise IrregularError from error


def read_numeric_request(body: bytes, find_signature: FindSignature) -> PredictRequest:
    """Read a request, or raise IrregularError; StatusError if there is no such signature."""
    if b"\\" in body:  # so that a name is written in one way only
        raise IrregularError

    def take(document: Any) -> tuple[Signature, Mapping[str, _Numbers], bool]:
        members = _members(document)
        key, in_rows = members.get("signature_name", ""), "instances" in members
        form = "instances" if in_rows else "inputs"
        if not isinstance(key, str) or members.keys() | {"signature_name"} != {"signature_name", form}:
            raise IrregularError
        signature = find_signature(key)
        reader = _Reader(body, signature.dtypes)
        columns, frame = (reader.rows if in_rows else reader.columns)(members[form])
        frames = {form: frame, "signature_name": _text(key)}
        if reader.skeleton != _object_frame((name, frames[name]) for name in members):
            raise IrregularError
        return signature, columns, in_rows

    signature, columns, in_rows = _parsing.read(body, take)
    inputs = {name: columns[name].tensor(dtype) for name, dtype in signature.dtypes.items()}
    return PredictRequest(signature, inputs, in_rows=in_rows)


class _Reader:
    """Takes the numbers out of one body.

    That they are regular shows in the body's skeleton, which is its text without numbers and white space:
    of an array of equal arrays, it is as their sizes have it.
    """

    def __init__(self, body: bytes, dtypes: Mapping[str, DType]) -> None:
        if not dtypes or not _KINDS.keys() >= set(dtypes.values()):
            raise IrregularError
        self._size = len(body)
        self._dtypes = dtypes
        self.skeleton = body.translate(None, _OF_NUMBERS)

    def rows(self, instances: Any) -> tuple[Mapping[str, _Numbers], bytes]:
        """Return the numbers of each input, and the frame of them all, of a list of instances."""
        if not isinstance(instances, Array) or not instances:
            raise IrregularError
        if not isinstance(instances[0], Object):
            return self._only(instances)
        if self._size < _LEAST_BYTES_OF_ROW * len(instances):
            raise IrregularError
        rows = [self._named(row) for row in instances]
        frame = b"[%b]" % b",".join(_object_frame((name, row[name].frame) for name in row) for row in rows)
        return {name: _stacked([row[name] for row in rows]) for name in self._dtypes}, frame

    def columns(self, inputs: Any) -> tuple[Mapping[str, _Numbers], bytes]:
        """Return the same of an object of inputs, or of the only one."""
        if not isinstance(inputs, Object):
            return self._only(inputs)
        columns = self._named(inputs)
        return columns, _object_frame((name, columns[name].frame) for name in columns)

    def _only(self, value: Any) -> tuple[Mapping[str, _Numbers], bytes]:
        """Return the same of the one input that there is."""
        if len(self._dtypes) > 1:
            raise IrregularError
        columns = {name: self._numbers(value, dtype) for name, dtype in self._dtypes.items()}
        return columns, next(iter(columns.values())).frame

    def _named(self, value: Any) -> dict[str, _Numbers]:
        """Return the numbers of an object with every input, in its order."""
        members = _members(value)
        if members.keys() != self._dtypes.keys():
            raise IrregularError
        return {name: self._numbers(member, self._dtypes[name]) for name, member in members.items()}

    def _numbers(self, value: Any, dtype: DType) -> _Numbers:
        shape = _shape(value)
        try:
            data = memoryview(value.as_buffer(of_type=_KINDS[dtype]))
        except (TypeError, ValueError) as error:
            raise IrregularError from error
        if len(data) != _SIZE * prod(shape) or _frame_size(shape) > len(self.skeleton):
            raise IrregularError
        return _Numbers(shape, data, _frame(shape))


def _members(value: Any) -> dict[str, Any]:
    """Return the members of an object, in its order."""
    if not isinstance(value, Object):
        raise IrregularError
    names = list(value)
    members = {name: value[name] for name in names}
    if len(members) != len(names):  # which of them counts is not the same everywhere
        raise IrregularError
    return members


def _shape(value: Any) -> tuple[int, ...]:
    """Return the shape of nested arrays, as the first of each level have it."""
    shape: list[int] = []
    while isinstance(value, Array):
        if not value or len(shape) == MAX_RANK:
            raise IrregularError
        shape.append(len(value))
        value = value[0]
    if not shape:
        raise IrregularError
    return tuple(shape)


def _frame(shape: tuple[int, ...]) -> bytes:
    """Return the skeleton of numbers of a shape."""
    frame = b""
    for size in reversed(shape):
        frame = b"[%b]" % b",".join([frame] * size)
    return frame


def _frame_size(shape: tuple[int, ...]) -> int:
    """Return the bytes of it, before so many are made of what only begins with long arrays."""
    arrays, size = 1, 0
    for length in shape:
        size += arrays * (length + 1)
        arrays *= length
    return size


def _object_frame(members: Iterable[tuple[str, bytes]]) -> bytes:
    return b"{%b}" % b",".join(b"%b:%b" % (_text(name), frame) for name, frame in members)


def _text(string: str) -> bytes:
    """Return the skeleton of a string."""
    return f'"{string}"'.encode().translate(None, _OF_NUMBERS)


def _stacked(rows: list[_Numbers]) -> _Numbers:
    """Put rows of one shape together."""
    if len({row.shape for row in rows}) > 1:
        raise IrregularError
    data = memoryview(b"".join(row.data for row in rows))
    return _Numbers((len(rows), *rows[0].shape), data, b"")
