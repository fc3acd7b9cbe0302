"""The variables of a SavedModel, from where their numbers are to the checkpoint: datasets as a stream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.checkpoint.checkpoint import TrackableSaver
from tensorflow.python.checkpoint.graph_view import ObjectGraphView
from tensorflow.python.training.saving.saveable_object import SaveSpec

from packager.progress import Report
from packager.savedmodel.bundle import BundleWriter
from packager.savedmodel.streaming import Progress, Streamed, WritingAhead, begin_checkpoint, stream
from packager.stored import BUFFER, StoredArray, stored_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """Text or numbers in memory that are to be written under a name."""

    key: str
    value: Any


def checkpoint_tensors(root: Any) -> list[Tensor | Streamed]:
    """Return all that hangs on ``root``, in the order of its graph of objects, which is among them."""
    gathered, *_ = TrackableSaver(ObjectGraphView(root))._gather_serialized_tensors()
    return [
        _tensor(key, trackable, value)
        for trackable, tensors in gathered.items()
        for key, value in tensors.items()
    ]


def _tensor(key: str, trackable: Any, value: Any) -> Tensor | Streamed:
    """Tell where the numbers of a variable are, in a dataset or in itself; of what is none, ``value``."""
    if not isinstance(trackable, tf.Variable):
        return Tensor(key=key, value=value)
    stored = stored_of(trackable)
    return Tensor(key=key, value=trackable) if stored is None else _streamed(key, stored)


def streams(variables: Iterable[Any]) -> list[Streamed]:
    """Return what those that are in a file are written as, as the first of the ``weights`` of a module."""
    arrays = [array for variable in variables if (array := stored_of(variable)) is not None]
    return [_streamed(f"weights/{i}/.ATTRIBUTES/VARIABLE_VALUE", array) for i, array in enumerate(arrays)]


def _streamed(key: str, array: StoredArray) -> Streamed:
    return Streamed(key=key, dtype=tf.as_dtype(array.dtype).as_datatype_enum, array=array)


def write_variables(
    tensors: Sequence[Tensor | Streamed],
    folder: Path,
    *,
    ahead: WritingAhead | None = None,
    report: Report,
) -> tuple[str, ...]:
    """Write ``tensors`` as the variables of the SavedModel in ``folder``; warn of NaN and infinity.

    The first are not written again where they are what ``ahead`` was begun with.
    """
    first: list[Streamed] = []
    for tensor in tensors:
        if not isinstance(tensor, Streamed):
            break
        first.append(tensor)
    written = ahead.finish(first, report) if ahead else None
    bundle, odd = written or (begin_checkpoint(folder), [])
    rest = tensors[len(first) :] if written else tensors
    progress = Progress(report, total=sum(t.array.nbytes for t in rest if isinstance(t, Streamed)))
    with bundle:
        for tensor in rest:
            if isinstance(tensor, Streamed):
                odd += stream(bundle, [tensor], progress)
            else:
                _add_tensor(bundle, tensor.key, tensor.value)
    return tuple(f"weights {path} hold NaN or infinity" for path in odd)


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
