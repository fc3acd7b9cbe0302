"""Tensors of TensorFlow's: made from bytes or strings, read back, and freed with their objects."""

from __future__ import annotations

import ctypes
import struct
from array import array
from collections.abc import Sequence
from math import prod
from typing import Any

from packager.serving.native.dtypes import ARRAY_CODES, DType
from packager.serving.native.library import STRING_SIZE, Buffer, Status, c_api

MAX_RANK = 254
"""The most dimensions that a TensorFlow shape can have; one more would abort the process."""

_DTYPES = {dtype.value: dtype for dtype in DType}


class Tensor:
    """A ``TF_Tensor``: its type, its shape, and its elements in memory of TensorFlow's."""

    __slots__ = ("dtype", "handle", "shape")

    def __init__(self, handle: int, dtype: DType | None = None, shape: Sequence[int] | None = None) -> None:
        """Take over ``handle``: it is freed with this object. What is known of it need not be asked."""
        api = c_api()
        self.handle = handle
        self.dtype = _DTYPES[api.TF_TensorType(handle)] if dtype is None else dtype
        if shape is None:
            shape = [api.TF_Dim(handle, axis) for axis in range(api.TF_NumDims(handle))]
        self.shape = tuple(shape)

    @classmethod
    def from_bytes(
        cls, dtype: DType, shape: Sequence[int], data: bytes, *, start: int = 0, end: int | None = None
    ) -> Tensor:
        """Make a tensor of elements of a fixed size, in row-major order and native byte order.

        They are those of ``data[start:end]``, which must be as many as the shape has.
        """
        length = (len(data) if end is None else end) - start
        handle = _allocate(dtype, shape, length)
        address = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
        ctypes.memmove(c_api().TF_TensorData(handle), address + start, length)
        return cls(handle, dtype, shape)

    @classmethod
    def empty(cls, dtype: DType, shape: Sequence[int]) -> Tensor:
        """Make a tensor of numbers whose elements are still to be written, at its address."""
        size = struct.calcsize(ARRAY_CODES[dtype])
        return cls(_allocate(dtype, shape, size * prod(shape)), dtype, shape)

    @classmethod
    def from_proto(cls, serialised: bytes) -> Tensor:
        """Make a tensor of a serialised TensorProto, or raise StatusError."""
        proto = Buffer(ctypes.cast(ctypes.c_char_p(serialised), ctypes.c_void_p), len(serialised), None)
        handle = _allocate(DType.UINT8, (), 1)  # to be replaced, and freed if it is not
        try:
            with Status() as status:
                c_api().TF_TensorFromProto(ctypes.byref(proto), handle, status)
        except BaseException:
            c_api().TF_DeleteTensor(handle)
            raise
        return cls(handle)

    @classmethod
    def from_strings(cls, shape: Sequence[int], values: Sequence[bytes]) -> Tensor:
        """Make a string tensor."""
        api = c_api()
        handle = _allocate(DType.STRING, shape, STRING_SIZE * len(values))
        address = api.TF_TensorData(handle)
        for value in values:
            api.TF_StringInit(address)
            api.TF_StringCopy(address, value, len(value))
            address += STRING_SIZE
        return cls(handle)

    @property
    def address(self) -> int:
        """Where the elements lie in memory."""
        return int(c_api().TF_TensorData(self.handle))

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    def to_bytes(self) -> bytes:
        """Return the elements as they lie in memory; not for strings."""
        if not self.size:
            return b""  # TensorFlow may have no memory for none, and then fails when it is asked how much
        api = c_api()
        return ctypes.string_at(api.TF_TensorData(self.handle), api.TF_TensorByteSize(self.handle))

    def to_strings(self) -> list[bytes]:
        """Return the elements of a string tensor."""
        api = c_api()
        first = api.TF_TensorData(self.handle) if self.size else 0
        return [
            ctypes.string_at(api.TF_StringGetDataPointer(at), api.TF_StringGetSize(at))
            for at in range(first, first + STRING_SIZE * self.size, STRING_SIZE)
        ]

    def to_list(self) -> list[Any]:
        """Return the elements as numbers, booleans or bytes; only for types that Python has."""
        if self.dtype is DType.STRING:
            return self.to_strings()
        if self.dtype is DType.BOOL:
            return [byte != 0 for byte in self.to_bytes()]
        return array(ARRAY_CODES[self.dtype], self.to_bytes()).tolist()

    def __del__(self) -> None:
        c_api().TF_DeleteTensor(self.handle)


def _allocate(dtype: DType, shape: Sequence[int], length: int) -> int:
    if len(shape) > MAX_RANK:
        raise ValueError(f"{len(shape)} dimensions, more than {MAX_RANK}")
    dimensions = (ctypes.c_int64 * len(shape))(*shape)
    handle: int = c_api().TF_AllocateTensor(dtype, dimensions, len(shape), length)
    return handle
