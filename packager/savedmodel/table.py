"""A sorted table of keys and values in one file, as LevelDB and TensorFlow's checkpoints lay it out.

The format is that of tensorflow/core/lib/io/format.h and block_builder.cc: blocks of entries that share
prefixes with the key before them, an index of the blocks, and a footer. Blocks are not compressed, for
TensorFlow writes none that are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

import google_crc32c

_BLOCK = 262_144
"""Bytes after which a block ends (table_options.h)."""
_RESTART = 16
"""Entries after which a key is written whole again."""
_MAGIC = 0xDB4775248B80FB57
_MASK = 0xA282EAD8
_FOOTER = 48
"""Bytes at the end: where the blocks lie that tell where the others lie, and the magic number."""


def table_bytes(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Write ``entries``, whose keys ascend, as one table."""
    table, index = bytearray(), _Block(restart=1)
    block, last, open_handle = _Block(restart=_RESTART), b"", None
    for key, value in entries:
        if open_handle is not None:  # a block's key in the index lies between its last one and the next
            index.add(_between(last, key), open_handle)
            open_handle = None
        block.add(key, value)
        last = key
        if block.size >= _BLOCK:
            open_handle = _append(table, block.finish())
            block = _Block(restart=_RESTART)
    if block.size > _EMPTY:
        open_handle = _append(table, block.finish())
    meta = _append(table, _Block(restart=_RESTART).finish())
    if open_handle is not None:
        index.add(_after(last), open_handle)
    footer = meta + _append(table, index.finish())
    return bytes(table + footer.ljust(40, b"\0") + struct.pack("<Q", _MAGIC))


def read_table(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries of a table that ``table_bytes`` wrote, in order.

    Raises ValueError where it is damaged.
    """
    if len(table) < _FOOTER or table[-8:] != struct.pack("<Q", _MAGIC):
        raise ValueError("it does not end as a table does")
    numbers, at = [], len(table) - _FOOTER
    for _ in range(4):
        number, at = read_varint(table, at)
        numbers.append(number)
    for _, handle in _read_block(table, *numbers[2:]):
        offset, at = read_varint(handle, 0)
        yield from _read_block(table, offset, read_varint(handle, at)[0])


def _read_block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    block, trailer = table[offset : offset + size], table[offset + size : offset + size + 5]
    if trailer != b"\0" + struct.pack("<I", masked(google_crc32c.value(block + b"\0"))):
        raise ValueError("its bytes are not those that were written")
    (restarts,) = struct.unpack("<I", block[-4:])
    end, at, key = len(block) - 4 - 4 * restarts, 0, b""
    while at < end:
        shared, at = read_varint(block, at)
        rest, at = read_varint(block, at)
        length, at = read_varint(block, at)
        key = key[:shared] + block[at : at + rest]
        yield key, block[at + rest : at + rest + length]
        at += rest + length


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Read what ``varint`` wrote; return the number and where what follows begins."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def varint(value: int) -> bytes:
    """Write a whole number in groups of seven bits, as protobuf and LevelDB do."""
    low = []
    while value > 0x7F:
        low.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*low, value])


def masked(crc: int) -> int:
    """Mask a checksum that is stored beside what it is of (tensorflow/core/lib/hash/crc32c.h)."""
    return (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF


def unmasked(crc: int) -> int:
    """Return the checksum that ``masked`` made this of."""
    rotated = (crc - _MASK) & 0xFFFFFFFF
    return ((rotated >> 17) | (rotated << 15)) & 0xFFFFFFFF


class _Block:
    """Entries of which each tells how much of the key before it it shares."""

    def __init__(self, *, restart: int) -> None:
        self._restart, self._count = restart, 0
        self._buffer, self._restarts, self._last = bytearray(), [0], b""

    @property
    def size(self) -> int:
        return len(self._buffer) + 4 * len(self._restarts) + 4

    def add(self, key: bytes, value: bytes) -> None:
        shared = 0
        if self._count < self._restart:
            shared = _shared(self._last, key)
        else:
            self._restarts.append(len(self._buffer))
            self._count = 0
        self._buffer += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        self._last, self._count = key, self._count + 1

    def finish(self) -> bytes:
        return bytes(self._buffer) + struct.pack(
            f"<{len(self._restarts) + 1}I", *self._restarts, len(self._restarts)
        )


_EMPTY = _Block(restart=1).size


def _append(table: bytearray, block: bytes) -> bytes:
    """Put a block at the end, with its kind and checksum, and return its handle."""
    handle = varint(len(table)) + varint(len(block))
    block += b"\0"  # not compressed
    table += block + struct.pack("<I", masked(google_crc32c.value(block)))
    return handle


def _shared(a: bytes, b: bytes) -> int:
    shared = 0
    for left, right in zip(a, b, strict=False):
        if left != right:
            break
        shared += 1
    return shared


def _between(last: bytes, key: bytes) -> bytes:
    """Return the shortest key from ``last`` to below ``key``, of those that LevelDB tries."""
    i = _shared(last, key)
    if i < min(len(last), len(key)) and last[i] < 0xFF and last[i] + 1 < key[i]:
        return last[:i] + bytes([last[i] + 1])
    return last


def _after(last: bytes) -> bytes:
    for i, byte in enumerate(last):
        if byte != 0xFF:
            return last[:i] + bytes([byte + 1])
    return last
