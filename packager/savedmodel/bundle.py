"""A checkpoint's files, ``variables.index`` and ``variables.data-00000-of-00001``, written as a stream.

The format is that of tensorflow/core/util/tensor_bundle: the bytes of the tensors one after the other, and
a table that tells of each its type, shape, place and checksum. TensorFlow's own writer takes tensors that
are whole in memory; the bytes it writes are these, up to the size of a shard. A checkpoint that is bigger
has several data files, so that a model of which some variables changed keeps the files of the others: each
is a layer of its own in an image.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import google_crc32c
import numpy as np

from packager.savedmodel.table import masked, table_bytes, varint

STRING = 7
"""Number of the type that holds text (tensorflow/core/framework/types.proto)."""

Buffer = bytes | bytearray | memoryview

SHARD = 64 << 20
"""Bytes after which the next tensor begins another data file."""

_HEADER = b"\x1a\x02\x08\x01"  # of a BundleHeaderProto, after its number of shards: little-endian, version 1


def data_files(sizes: Iterable[int], *, shard: int = SHARD) -> Iterator[int]:
    """Yield for each tensor, by its bytes, the number of the data file that it is written to."""
    number = filled = 0
    for size in sizes:
        if filled >= shard:
            number, filled = number + 1, 0
        yield number
        filled += size


class BundleWriter:
    """Writes tensors in the order in which they come; use it as a context, which completes the files.

    Pickled, it goes on in another process where it was left in this one.
    """

    def __init__(self, prefix: Path, *, shard: int = SHARD) -> None:
        """Begin ``<prefix>.index`` and ``<prefix>.data-00000-of-00001``, or more data files."""
        self._prefix = prefix
        self._limit = shard
        self._shards = [self._unnamed(0)]
        self._data = self._shards[0].open("wb", buffering=0)
        self._offset = 0
        self._entries: dict[bytes, bytes] = {}

    def __enter__(self) -> BundleWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._data.close()
        if kind is not None:
            return
        for number, path in enumerate(self._shards):
            path.rename(self._beside(f"data-{number:05}-of-{len(self._shards):05}"))
        header = {b"": _number(1, len(self._shards)) + _HEADER}
        self._beside("index").write_bytes(table_bytes(sorted((header | self._entries).items())))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_data": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._data = self._shards[-1].open("ab", buffering=0)

    def add(self, key: str, *, dtype: int, shape: Sequence[int], blocks: Iterable[Buffer]) -> None:
        """Write a tensor of numbers, whose bytes are ``blocks``; ``dtype`` is TensorFlow's number of it."""
        begin, crc = self._begin(), 0
        for block in blocks:
            crc = google_crc32c.extend(crc, np.frombuffer(block, np.uint8))  # it takes no memoryview
            self._write(block)
        self._enter(key, dtype, shape, begin, crc)

    def add_strings(self, key: str, shape: Sequence[int], values: Sequence[bytes]) -> None:
        """Write a tensor of text: the lengths, a checksum of theirs, then the values."""
        begin, crc = self._begin(), 0
        for value in values:  # the checksum is of lengths as they are in memory, not as they are written
            crc = google_crc32c.extend(crc, struct.pack("<I" if len(value) < 2**32 else "<Q", len(value)))
        checksum = struct.pack("<I", masked(crc))
        self._write(b"".join(varint(len(value)) for value in values) + checksum)
        crc = google_crc32c.extend(crc, checksum)
        for value in values:
            crc = google_crc32c.extend(crc, value)
            self._write(value)
        self._enter(key, STRING, shape, begin, crc)

    def _begin(self) -> int:
        """Return where the next tensor goes, in another data file once this one is full."""
        if self._offset >= self._limit:
            self._data.close()
            self._shards.append(self._unnamed(len(self._shards)))
            self._data = self._shards[-1].open("wb", buffering=0)
            self._offset = 0
        return self._offset

    def _unnamed(self, number: int) -> Path:
        return self._beside(f"data-{number:05}")  # how many there will be is known at the end

    def _beside(self, ending: str) -> Path:
        return self._prefix.with_name(f"{self._prefix.name}.{ending}")

    def _write(self, block: Buffer) -> None:
        rest = memoryview(block).cast("B")
        self._offset += len(rest)
        while rest:  # write(2) may take less than it is given
            rest = rest[self._data.write(rest) :]

    def _enter(self, key: str, dtype: int, shape: Sequence[int], begin: int, crc: int) -> None:
        name = key.encode()
        if name in self._entries:
            raise ValueError(f"two tensors of the name {key!r}")
        self._entries[name] = _entry(
            dtype, shape, len(self._shards) - 1, begin, self._offset - begin, masked(crc)
        )


def _entry(dtype: int, shape: Sequence[int], shard: int, offset: int, size: int, crc: int) -> bytes:
    """Serialise a BundleEntryProto (tensorflow/core/protobuf/tensor_bundle.proto)."""
    sizes = (_number(1, length) for length in shape)
    dimensions = b"".join(b"\x12" + varint(len(size)) + size for size in sizes)
    return (
        _number(1, dtype)
        + (b"\x12" + varint(len(dimensions)) + dimensions)
        + _number(3, shard)
        + _number(4, offset)
        + _number(5, size)
        + (b"\x35" + struct.pack("<I", crc) if crc else b"")
    )


def _number(field: int, value: int) -> bytes:
    """Serialise a whole number; protobuf leaves out zeros."""
    return bytes([field << 3]) + varint(value) if value else b""
