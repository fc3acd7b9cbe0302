"""Arrays of files as a stream into a checkpoint, beside the process that asks the model and traces it.

Which variables a SavedModel has is known when its graphs are traced. Which arrays of the file variables are
bound to is known before, and nearly always a graph reads them all: so they come first in the checkpoint, in
the order of the model, and a companion begins with them. Where they turn out to be others it was for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from packager.companion import Companion
from packager.progress import Report, detail, say
from packager.savedmodel.bundle import Buffer, BundleWriter
from packager.stored import StoredArray

PREFIX = "variables/variables"
"""Of the files of a checkpoint in a SavedModel."""
_DOING = "writing the weights"
_OFTEN = 0.2
"""Seconds between two looks at how far it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """An array of a file that is to be written under a key."""

    key: str
    dtype: int
    """TensorFlow's number of its type."""
    array: StoredArray


Written = tuple[BundleWriter, list[str]]
"""A checkpoint that others may be added to, and the datasets that hold NaN or infinity."""


def begin_checkpoint(folder: Path) -> BundleWriter:
    """Begin the checkpoint of the SavedModel in ``folder``."""
    (folder / PREFIX).parent.mkdir(parents=True, exist_ok=True)
    return BundleWriter(folder / PREFIX)


def stream(
    bundle: BundleWriter, tensors: Iterable[Streamed], passed: Callable[[int], None] | None = None
) -> list[str]:
    """Write ``tensors``, and return which datasets hold NaN or infinity; ``passed`` is told of bytes."""
    odd: list[str] = []
    for tensor in tensors:
        finite = [True]
        blocks = _watched(tensor.array, finite, passed)
        bundle.add(tensor.key, dtype=tensor.dtype, shape=tensor.array.shape, blocks=blocks)
        if not all(finite):
            odd.append(tensor.array.dataset)
    return odd


def _watched(
    array: StoredArray, finite: list[bool], passed: Callable[[int], None] | None
) -> Iterator[Buffer]:
    """Pass blocks on, and note where one holds what is no number."""
    whole = array.dtype.kind in "biu"
    for block in array.blocks():
        if not whole and finite[-1]:
            finite.append(bool(np.isfinite(np.frombuffer(block, array.dtype)).all()))
        yield block
        if passed is not None:
            passed(len(block))


class Progress:
    """Tells how far the stream is, a few times a second."""

    def __init__(self, report: Report, *, total: int) -> None:
        self._report, self._total, self._done, self._next = report, total, 0, 0.0

    def __call__(self, count: int) -> None:
        """Note that ``count`` further bytes are written."""
        self._done += count
        if (now := time.monotonic()) >= self._next:
            say(self._report, _DOING, done=self._done, total=self._total)
            self._next = now + _OFTEN


def write_as_told(channel: Connection) -> Written:
    """Wait for a folder and arrays, and write them: what a companion does."""
    folder, tensors = channel.recv()
    bundle = begin_checkpoint(folder)
    return bundle, stream(bundle, tensors)


class WritingAhead:
    """The arrays that a companion has begun to write."""

    def __init__(self, writer: Companion) -> None:
        """``writer`` runs ``write_as_told``."""
        self._writer = writer
        self._folder = Path()
        self._begun: list[Streamed] = []

    def begin(self, folder: Path, tensors: Sequence[Streamed]) -> None:
        """Have ``tensors`` written as the first of the SavedModel in ``folder``.

        What is turned on the way to its variable is not, for how it is turned need not be picklable.
        """
        if tensors and all(tensor.array.turn is None for tensor in tensors):
            self._folder, self._begun = folder, list(tensors)
            self._writer.tell((folder, self._begun))

    def finish(self, wanted: Sequence[Streamed], report: Report) -> Written | None:
        """Wait until they are written, and return what goes on; ``None`` where not just they were wanted.

        Raises ModelFileError where their file cannot be read, and OSError where they cannot be written.
        """
        if not self._begun:
            return None
        if list(wanted) != self._begun:
            detail(report, "the weights are written anew: the graphs do not read just what was begun with")
            self._drop()
            return None
        total = sum(tensor.array.nbytes for tensor in wanted)
        say(report, _DOING, done=self._size(), total=total)
        while not self._writer.done(_OFTEN):
            say(report, _DOING, done=self._size(), total=total)
        written: Written = self._writer.result()
        return written

    def _drop(self) -> None:
        self._writer.end()
        self._begun = []
        for file in self._files():
            file.unlink()

    def _size(self) -> int:
        return sum(file.stat().st_size for file in self._files())

    def _files(self) -> Iterator[Path]:
        return (self._folder / PREFIX).parent.glob("*")
