"""The element types of tensors: their numbers in ``types.proto``, their names, their form in memory."""

from __future__ import annotations

from enum import IntEnum


class DType(IntEnum):
    """A tensor's element type, by its number in TensorFlow's ``types.proto`` and C API."""

    INVALID = 0
    FLOAT = 1
    DOUBLE = 2
    INT32 = 3
    UINT8 = 4
    INT16 = 5
    INT8 = 6
    STRING = 7
    COMPLEX64 = 8
    INT64 = 9
    BOOL = 10
    QINT8 = 11
    QUINT8 = 12
    QINT32 = 13
    BFLOAT16 = 14
    QINT16 = 15
    QUINT16 = 16
    UINT16 = 17
    COMPLEX128 = 18
    HALF = 19
    RESOURCE = 20
    VARIANT = 21
    UINT32 = 22
    UINT64 = 23
    FLOAT8_E5M2 = 24
    FLOAT8_E4M3FN = 25
    FLOAT8_E4M3FNUZ = 26
    FLOAT8_E4M3B11FNUZ = 27
    FLOAT8_E5M2FNUZ = 28
    INT4 = 29
    UINT4 = 30
    INT2 = 31
    UINT2 = 32

    @classmethod
    def _missing_(cls, value: object) -> DType:
        """Read a reference type (100 more than its value's type) as what it refers to."""
        return cls(value - 100) if isinstance(value, int) and 100 < value <= 132 else cls.INVALID

    @property
    def label(self) -> str:
        """The name that TensorFlow's messages use, ``float``."""
        return self.name.lower()


ARRAY_CODES = {
    DType.FLOAT: "f",
    DType.DOUBLE: "d",
    DType.INT8: "b",
    DType.UINT8: "B",
    DType.INT16: "h",
    DType.UINT16: "H",
    DType.INT32: "i",
    DType.UINT32: "I",
    DType.INT64: "q",
    DType.UINT64: "Q",
}
"""The type codes of ``array``, for the types that it has numbers of the same size for."""
