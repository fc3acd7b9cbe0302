"""The variables of a SavedModel, from where their numbers are to the checkpoint: datasets as a stream."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.checkpoint.checkpoint import TrackableSaver
from tensorflow.python.checkpoint.graph_view import ObjectGraphView
from tensorflow.python.training.saving.saveable_object import SaveSpec

from packager.progress import Report, say
from packager.savedmodel.bundle import Buffer, BundleWriter
from packager.stored import BUFFER, StoredArray

PREFIX = "variables/variables"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """What is to be written under a name: text or numbers in memory, or an array in its file."""

    key: str
    value: Any


def checkpoint_tensors(root: Any) -> list[Tensor]:
    """Return all that hangs on ``root``, in the order of its graph of objects, which is among them."""
    gathered, *_ = TrackableSaver(ObjectGraphView(root))._gather_serialized_tensors()
    return [
        Tensor(key=key, value=_source(trackable, value))
        for trackable, tensors in gathered.items()
        for key, value in tensors.items()
    ]


def _source(trackable: Any, value: Any) -> Any:
    """Return where the numbers of a variable are: in a dataset, or in itself; of what is none, ``value``."""
    if not isinstance(trackable, tf.Variable):
        return value
    stored = getattr(trackable, "stored", None)
    return trackable if stored is None else stored


def write_variables(tensors: Iterable[Tensor], folder: Path, *, report: Report) -> tuple[str, ...]:
    """Write ``tensors`` as the variables of the SavedModel in ``folder``; warn of NaN and infinity."""
    tensors = list(tensors)
    streamed = [tensor.value for tensor in tensors if isinstance(tensor.value, StoredArray)]
    progress = _Progress(report, total=sum(stored.nbytes for stored in streamed))
    odd: list[str] = []
    (folder / PREFIX).parent.mkdir(parents=True, exist_ok=True)
    with BundleWriter(folder / PREFIX) as bundle:
        for tensor in tensors:
            if isinstance(tensor.value, StoredArray):
                _add_stored(bundle, tensor.key, tensor.value, progress, odd)
            else:
                _add_tensor(bundle, tensor.key, tensor.value)
    return tuple(f"weights {path} hold NaN or infinity" for path in odd)


def _add_stored(
    bundle: BundleWriter, key: str, stored: StoredArray, progress: _Progress, odd: list[str]
) -> None:
    finite = [True]
    blocks = progress.counted(_watched(stored, finite))
    bundle.add(key, dtype=tf.as_dtype(stored.dtype).as_datatype_enum, shape=stored.shape, blocks=blocks)
    if not all(finite):
        odd.append(stored.dataset)


def _watched(stored: StoredArray, finite: list[bool]) -> Iterator[Buffer]:
    """Pass blocks on, and note where one holds what is no number."""
    whole = stored.dtype.kind in "biu"
    for block in stored.blocks():
        if not whole and finite[-1]:
            finite.append(bool(np.isfinite(np.frombuffer(block, stored.dtype)).all()))
        yield block


def _add_tensor(bundle: BundleWriter, key: str, value: Any) -> None:
    if isinstance(value, Mapping):
        (value,) = value.values()  # parts of a tensor by their place; nothing of ours has more than one
    tensor = tf.convert_to_tensor(value.tensor if isinstance(value, SaveSpec) else value)
    shape = tensor.shape.as_list()
    if tensor.dtype == tf.string:  # as objects: numpy's own text type drops NUL bytes at the end
        bundle.add_strings(key, shape, np.asarray(tensor.numpy(), object).ravel().tolist())
        return
    data = np.ascontiguousarray(tensor.numpy()).reshape(-1).view(np.uint8)
    pieces = (data[begin : begin + BUFFER].data for begin in range(0, len(data), BUFFER))
    bundle.add(key, dtype=tensor.dtype.as_datatype_enum, shape=shape, blocks=pieces)


class _Progress:
    """Tells how far the stream is, a few times a second."""

    def __init__(self, report: Report, *, total: int) -> None:
        self._report, self._total, self._done, self._next = report, total, 0, 0.0

    def counted(self, blocks: Iterable[Buffer]) -> Iterator[Buffer]:
        for block in blocks:
            yield block
            self._done += len(block)
            if (now := time.monotonic()) >= self._next:
                say(self._report, "writing the weights", done=self._done, total=self._total)
                self._next = now + 0.2
