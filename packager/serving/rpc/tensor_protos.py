"""Writes tensors as serialised TensorProto messages, in the fields that ``tensor.cc`` writes them to."""

from __future__ import annotations

from array import array

from packager.protocol import message
from packager.serving.native.dtypes import ARRAY_CODES, DType
from packager.serving.native.tensors import Tensor

_TENSOR_CONTENT = 4
_AS_IN_MEMORY = {DType.FLOAT: 5, DType.DOUBLE: 6, DType.COMPLEX64: 9, DType.BOOL: 11, DType.COMPLEX128: 12}
"""Fields of packed elements that take the same bytes on the wire as in memory, which is little-endian."""

_INTEGERS = {
    **dict.fromkeys((DType.INT32, DType.INT16, DType.INT8, DType.UINT16, DType.UINT8), "int_val"),
    DType.INT64: "int64_val",
    DType.UINT32: "uint32_val",
    DType.UINT64: "uint64_val",
    DType.HALF: "half_val",
    DType.BFLOAT16: "half_val",
}
"""Fields of elements that are written as numbers of variable length."""

_BITS_OF_16 = "H"
_BYTES_FIELD = 2
"""The wire type of what begins with its length."""


def serialised(tensor: Tensor, *, as_content: bool = False) -> bytes:
    """Return a tensor as a TensorProto; ``as_content`` writes all but strings as they lie in memory."""
    proto = message("TensorProto")(dtype=tensor.dtype)
    for size in tensor.shape:
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_shape.SetInParent()
    if tensor.dtype is DType.STRING:
        proto.string_val.extend(tensor.to_strings())
    elif tensor.dtype in _INTEGERS and not as_content:
        code = ARRAY_CODES.get(tensor.dtype, _BITS_OF_16)
        getattr(proto, _INTEGERS[tensor.dtype]).extend(array(code, tensor.to_bytes()))
    elif elements := tensor.to_bytes():
        field = _TENSOR_CONTENT if as_content else _AS_IN_MEMORY.get(tensor.dtype, _TENSOR_CONTENT)
        key = bytes((field << 3 | _BYTES_FIELD,))
        return b"".join((proto.SerializeToString(), key, _varint(len(elements)), elements))
    return proto.SerializeToString()  # type: ignore[no-any-return]


def _varint(number: int) -> bytes:
    """Write a number as protobuf does: seven bits a byte, the lowest first, the last byte below 128."""
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
