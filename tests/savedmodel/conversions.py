"""Converts files in one child process, each as a stream and in the ordinary way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from packager.conversion import convert_inspected
from packager.errors import PackagerError
from packager.progress import Event, Level, Report
from packager.request import ConversionRequest, ConversionResult
from packager.signatures import Declaration
from packager.values import AS_THE_SOURCE


@dataclass(frozen=True)
class Converted:
    """What came of a file in one of the ways, and whether its variables are the numbers of the datasets."""

    folder: Path
    result: ConversionResult | None = None
    equal: tuple[str, ...] = ()
    unequal: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    """What ``-v`` shows beside the stages."""
    error: PackagerError | None = None


def convert_all(
    files: Sequence[Path],
    folder: Path,
    streamed: Sequence[bool] = (True, False),
    piece: int | None = None,
    *,
    report: Report,
) -> dict[tuple[str, bool], Converted]:
    """Convert ``files`` into sub folders of ``folder``, large matrices in pieces of ``piece`` bytes."""
    return {
        (file.stem, way): _converted(
            file, folder / f"{file.stem}-{'stream' if way else 'whole'}", way, piece, report
        )
        for file in files
        for way in streamed
    }


def _converted(file: Path, work: Path, streamed: bool, piece: int | None, report: Report) -> Converted:
    from packager.h5 import admit

    work.mkdir(parents=True)
    told: list[str] = []

    def tell(event: Event) -> None:
        report(event)
        if event.level is Level.DETAIL:
            told.append(event.text)

    try:
        inspection, config = admit(file, AS_THE_SOURCE.supplied)
        request = ConversionRequest(
            inspection=inspection,
            config=config,
            options=AS_THE_SOURCE,
            name="m",
            declaration=Declaration(),
            work=work,
        )
        with _sizes(1 if streamed else 2**40, piece):
            result = convert_inspected(request, report=tell)
    except PackagerError as error:
        return Converted(folder=work, error=error)
    equal, unequal = _compared(file, work, result)
    return Converted(folder=work, result=result, equal=equal, unequal=unequal, told=tuple(told))


@contextmanager
def _sizes(size: int, piece: int | None) -> Iterator[None]:
    """Let weights of ``size`` bytes stay in the file, and SavedModels of as many be asked in steps."""
    import packager.loading.deferred as deferred
    from packager import pieces, stored
    from packager.savedmodel import parity

    places: list[tuple[Any, str, int]] = [
        (deferred, "LARGE", size),
        (stored, "LARGE", size),
        (parity, "LOADED_WHOLE", size),
        (pieces, "PIECE", piece or pieces.PIECE),
    ]
    before = [getattr(module, name) for module, name, _ in places]
    try:
        for module, name, value in places:
            setattr(module, name, value)
        yield
    finally:
        for (module, name, _), value in zip(places, before, strict=True):
            setattr(module, name, value)


def _compared(file: Path, work: Path, result: ConversionResult) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Compare each dataset that a variable is a copy of with what TensorFlow reads from the checkpoint."""
    import h5py
    import tensorflow as tf

    checkpoint = tf.train.load_checkpoint(str(work / "variables/variables"))
    written = {checkpoint.get_tensor(name).tobytes() for name in checkpoint.get_variable_to_shape_map()
               if not name.startswith("_CHECKPOINTABLE")}  # fmt: skip
    equal, unequal = [], []
    with h5py.File(file) as source:
        for binding in result.bindings:
            if binding.transform == "copy":
                array = np.asarray(source[binding.dataset][()]).astype(binding.dtype)
                (equal if array.tobytes() in written else unequal).append(binding.variable)
    return tuple(equal), tuple(unequal)
