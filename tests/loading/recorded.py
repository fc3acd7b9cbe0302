"""Loads files that old Keras wrote, and compares with what it answered: all of them in one child."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from packager.errors import PackagerError
from packager.progress import Report
from packager.values import Supplied

ARCHIVE = Path(__file__).with_name("recorded") / "theano.zip"
ON_TENSORFLOW = ARCHIVE.with_name("tensorflow.zip")


@dataclass(frozen=True)
class Comparison:
    """How far a rebuilt model is from the one that was saved, or why there is none."""

    difference: float = np.inf
    error: PackagerError | None = None


def recorded_names() -> list[str]:
    with zipfile.ZipFile(ARCHIVE) as archive:
        return [name.removesuffix(".h5") for name in archive.namelist() if name.endswith(".h5")]


def compare_all(paths: Sequence[Path], supplied: Supplied, *, report: Report) -> list[Comparison]:
    """Load each file, and ask it what the ``.npz`` beside it holds."""
    return [_compared(path, supplied) for path in paths]


def _compared(path: Path, supplied: Supplied) -> Comparison:
    import tensorflow as tf

    from packager.h5 import admit
    from packager.loading.loading import load_model

    try:
        model = load_model(*admit(path, supplied), supplied)
    except PackagerError as error:
        return Comparison(error=error)
    with np.load(path.with_suffix(".npz"), allow_pickle=True) as arrays:
        given = [arrays[f"in/{i}"] for i in range(sum(key.startswith("in/") for key in arrays))]
        expected = [arrays[f"out/{i}"] for i in range(sum(key.startswith("out/") for key in arrays))]
    inputs = [
        tf.cast(tf.constant(array), entry.spec.dtype)
        for array, entry in zip(given, model.inputs, strict=True)
    ]
    answers = [tensor.numpy() for tensor in model.call(inputs)]
    assert [answer.shape for answer in answers] == [array.shape for array in expected]
    pairs = zip(answers, expected, strict=True)
    return Comparison(max(float(np.abs(a.astype("f8") - b.astype("f8")).max()) for a, b in pairs))
