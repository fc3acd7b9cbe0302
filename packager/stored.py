"""Arrays that stay in their file: a shape and a type now, the bytes when they are asked for, piece by piece.

A dataset that lies in the file as its variable wants it is read by its place (an extent); any other is read
by h5py along its chunks and turned into that, one slab at a time.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from h5py import h5d, h5t

from packager.errors import ModelFileError, ModelLoadError

Array = npt.NDArray[Any]

LARGE = 64 << 10
"""Bytes from which a dataset is not read when a model is rebuilt."""
BUFFER = 1 << 20
"""Bytes read at a time: it stays in the processor's cache from the reading to the writing."""
SLAB = 16 << 20
"""Bytes of a dataset that h5py reads at a time, where its chunks are not larger."""
ALIGNMENT = 64
"""Of the memory that an array is read into, so that TensorFlow can use it as it is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredArray:
    """An array of a dataset's numbers. Numpy's functions take it, and read it whole for that."""

    file: Path
    dataset: str
    """Its path in the file."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    """What the bytes are turned into."""
    extent: int | None
    """Where in the file the bytes lie, if they are those wanted."""
    turn: Callable[[Array], Array] | None = field(default=None, repr=False)
    """What is done to the whole dataset, if it is not wanted as it lies."""
    transform: str = "copy"
    """That in words."""
    checksum: int | None = None
    """The CRC32C of all bytes, where one is known: whoever reads them all compares it."""

    @classmethod
    def of(cls, dataset: h5py.Dataset) -> StoredArray:
        """Describe a dataset, of which no number is read but the first and the last."""
        return cls(
            file=Path(dataset.file.filename),
            dataset=str(dataset.name),
            shape=dataset.shape,
            dtype=_number_type(dataset),
            extent=_extent(dataset),
        )

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of numbers."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes ``blocks`` gives in all."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        return self.read()[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        array = self.read()
        return array if dtype is None else array.astype(dtype, copy=False)

    def astype(self, dtype: Any) -> StoredArray:
        """Return the same numbers in another type, still unread."""
        wanted = np.dtype(dtype)
        if wanted == self.dtype:
            return self
        return replace(self, dtype=wanted, extent=None)

    def turned(
        self, turn: Callable[[Array], Array], *, shape: tuple[int, ...], transform: str
    ) -> StoredArray:
        """Return what ``turn`` makes of these numbers, of ``shape``, still unread: it will be read whole."""
        if self.turn is not None:
            raise ValueError(f"{self.dataset!r} is turned already")
        return replace(self, turn=turn, shape=shape, extent=None, transform=transform)

    def read(self) -> Array:
        """Read all of it, into memory that TensorFlow can use without a copy."""
        array = _aligned(self.shape, self.dtype)
        target, at = array.reshape(-1).view(np.uint8).data, 0
        if self.extent is not None:
            with self._reading():
                for _ in self._filled(self.extent, _parts(target, BUFFER)):
                    pass
            return array
        for block in self.blocks():
            target[at : at + len(block)] = block
            at += len(block)
        return array

    def blocks(self) -> Iterator[memoryview]:
        """Yield the bytes in order, in rows. A block is valid until the next one is asked for.

        Raises ModelFileError where the file cannot be read.
        """
        with self._reading():
            if self.extent is not None:
                yield from self._from_extent(self.extent)
            else:
                for slab in self._slabs():
                    flat = _converted(np.ascontiguousarray(slab), self.dtype).reshape(-1)
                    yield flat.view(np.uint8).data

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError) as error:
            reason = " ".join(str(getattr(error, "strerror", None) or error).split())
            raise ModelFileError(
                f"cannot read {self.dataset!r} in {os.fspath(self.file)!r}: {reason.lower()}",
                hint="the file, or the disk that it lies on, is damaged: packager inspect FILE",
            ) from error

    def pieces(self, limit: int) -> Iterator[tuple[int, Array]]:
        """Yield rows in order, as many as ``limit`` bytes hold, each time with the number of the first.

        Of an array that has no extent it is slabs. A piece is valid until the next one is asked for. Raises
        ModelFileError where the file cannot be read.
        """
        begin = 0
        with self._reading():
            for slab in self._slabs() if self.extent is None else self._rows(self.extent, limit):
                yield begin, np.ascontiguousarray(_converted(slab, self.dtype))
                begin += len(slab)

    def rows(self, numbers: npt.NDArray[np.integer[Any]], limit: int) -> Array:
        """Return the rows of these ``numbers``, which ascend; ``limit`` is for ``pieces``.

        Raises ModelFileError where the file cannot be read.
        """
        found = _aligned((len(numbers), *self.shape[1:]), self.dtype)
        if self.extent is not None and self.checksum is None:
            with self._reading(), self.file.open("rb", buffering=0) as file:
                for row, number in zip(found, numbers, strict=True):
                    file.seek(self.extent + int(number) * row.nbytes)
                    _fill(file, row.reshape(-1).view(np.uint8).data)
            return found
        for begin, piece in self.pieces(limit):
            first, last = np.searchsorted(numbers, [begin, begin + len(piece)])
            found[first:last] = piece[numbers[first:last] - begin]
        return found

    def _from_extent(self, begin: int) -> Iterator[memoryview]:
        buffer = memoryview(bytearray(BUFFER))
        yield from self._filled(begin, (buffer[: self.nbytes - at] for at in range(0, self.nbytes, BUFFER)))

    def _rows(self, begin: int, limit: int) -> Iterator[Array]:
        length = self.shape[0]
        count = max(1, limit * length // max(1, self.nbytes))
        buffer = _aligned((min(count, length), *self.shape[1:]), self.dtype)
        memory = buffer.reshape(-1).view(np.uint8).data
        row = len(memory) // max(1, len(buffer))
        sizes = (min(count, length - first) for first in range(0, length, count))
        for block in self._filled(begin, (memory[: size * row] for size in sizes)):
            yield buffer[: len(block) // row]

    def _filled(self, begin: int, buffers: Iterable[memoryview]) -> Iterator[memoryview]:
        """Fill one buffer after the other with what lies in the file from ``begin``."""
        crc = 0
        with self.file.open("rb", buffering=0) as file:
            file.seek(begin)
            for block in buffers:
                _fill(file, block)
                crc = self._summed(crc, block)
                yield block
        if self.checksum is not None and crc != self.checksum:
            raise EOFError("its bytes are not those that were written")

    def _summed(self, crc: int, block: memoryview) -> int:
        if self.checksum is None:
            return 0
        import google_crc32c

        return int(google_crc32c.extend(crc, np.frombuffer(block, np.uint8)))  # it takes no memoryview

    def _slabs(self) -> Iterator[Array]:
        with h5py.File(self.file, "r") as file:
            dataset = file[self.dataset]
            if self.turn is not None:
                yield self.turn(numbers(dataset))
                return
            for rows in _row_ranges(dataset):
                yield _converted(np.asarray(dataset[rows]), _number_type(dataset))


def _parts(memory: memoryview, size: int) -> Iterator[memoryview]:
    return (memory[at : at + size] for at in range(0, len(memory), size))


def _fill(file: Any, block: memoryview) -> None:
    """Read as many bytes as ``block`` has; read(2) may give fewer."""
    while block:
        count = file.readinto(block)
        if not count:
            raise EOFError("the file ends in the middle of it")
        block = block[count:]


def numbers(dataset: h5py.Dataset) -> Array:
    """Read a dataset whole, as numbers."""
    return _converted(np.asarray(dataset[()]), _number_type(dataset))


def array_of(dataset: h5py.Dataset) -> Array | StoredArray:
    """Return a dataset's numbers, or what stands for them where they are many.

    Raises ModelLoadError where it holds no real numbers.
    """
    _require_numbers(dataset)
    return StoredArray.of(dataset) if dataset.nbytes >= LARGE else numbers(dataset)


def stored_of(variable: Any) -> StoredArray | None:
    """Return where in a file the numbers of a variable of TensorFlow are, ``None`` of one in memory."""
    return getattr(variable, "stored", None)


def _require_numbers(dataset: Any) -> None:
    if not isinstance(dataset, h5py.Dataset):
        what = "a group"
    elif dataset.shape is None:
        what = "a dataset without any value"
    elif dataset.dtype.kind not in "fiub" and _number_type(dataset) == dataset.dtype:
        what = f"of type {dataset.dtype}"
    else:
        return
    raise ModelLoadError(
        f"{dataset.name!r} is {what}, and should hold the numbers of a variable",
        hint="packager inspect FILE shows what the file holds",
    )


def _number_type(dataset: h5py.Dataset) -> np.dtype[Any]:
    """Return numpy's type; bfloat16, which HDF5 has not, is kept by h5py as two bytes."""
    if dataset.dtype.kind == "V" and dataset.dtype.names is None and dataset.dtype.itemsize == 2:
        import ml_dtypes

        bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return bfloat16
    native: np.dtype[Any] = dataset.dtype.newbyteorder("=")
    return native


def _converted(array: Array, dtype: np.dtype[Any]) -> Array:
    if array.dtype.type is np.void and array.dtype.itemsize == dtype.itemsize:
        return array.view(dtype)
    return array.astype(dtype, copy=False)


def _row_ranges(dataset: h5py.Dataset) -> Iterator[Any]:
    """Yield what to read at a time: whole rows of chunks, as many as a slab holds."""
    if not dataset.shape:
        yield ()
        return
    row = max(1, dataset.dtype.itemsize * math.prod(dataset.shape[1:]))
    chunk = dataset.chunks[0] if dataset.chunks else 1
    step = max(chunk, SLAB // row // chunk * chunk)
    for begin in range(0, dataset.shape[0], step):
        yield slice(begin, begin + step)


def _extent(dataset: h5py.Dataset) -> int | None:
    """Return where the dataset's bytes lie in the file, if they are in one piece and as numpy has them."""
    properties = dataset.id.get_create_plist()
    if properties.get_layout() != h5d.CONTIGUOUS or properties.get_external_count() or not dataset.size:
        return None
    opaque = dataset.dtype.kind == "V" and dataset.dtype.names is None
    native = dataset.dtype.kind in "biufc" and dataset.dtype.isnative
    if not opaque and not (native and dataset.id.get_type().equal(h5t.py_create(dataset.dtype))):
        return None
    offset = dataset.id.get_offset()
    return offset if offset is not None and _holds(dataset, offset) else None


def _holds(dataset: h5py.Dataset, offset: int) -> bool:
    """See that the first and the last number lie where the bytes would be read."""
    size, last = dataset.dtype.itemsize, tuple(length - 1 for length in dataset.shape)
    with Path(dataset.file.filename).open("rb", buffering=0) as file:
        ends = [os.pread(file.fileno(), size, offset + at * size) for at in (0, dataset.size - 1)]
    corners = ((0,) * dataset.ndim, last)
    return ends == [np.asarray(dataset[corner]).tobytes() for corner in corners]


def _aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % ALIGNMENT
    return memory[begin : begin + size].view(dtype).reshape(shape)
