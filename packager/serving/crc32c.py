"""The checksum of TFRecord files: CRC-32C, and the mask that is laid over it (``hash/crc32c.h``)."""

from __future__ import annotations

import functools

_POLYNOMIAL = 0x82F63B78
"""Castagnoli's, its bits reversed."""
_MASK = 0xA282EAD8


def masked_crc32c(data: bytes) -> int:
    """Return the checksum of ``data`` as records carry it."""
    table = _table()
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


@functools.cache
def _table() -> tuple[int, ...]:
    """Return the checksums of all single bytes."""
    table = list(range(256))
    for _ in range(8):
        table = [value >> 1 ^ (_POLYNOMIAL if value & 1 else 0) for value in table]
    return tuple(table)
