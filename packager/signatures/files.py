"""The files beside a declaration: statistics of the training data, vocabularies, class labels."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from packager.errors import SignatureError
from packager.signatures.steps import Numbers


def read_numbers(file: Path, name: str) -> Numbers:
    """Read the numbers ``name`` of an ``.npz`` or ``.h5`` file: one, or a list of them.

    Raises SignatureError where there are none, or they are not finite.
    """
    try:
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                values = np.asarray(arrays[name])
        else:
            values = _dataset(file, name)
        numbers = np.squeeze(values).astype(np.float64)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise SignatureError(
            f"no numbers {name!r} in {str(file)!r}: {error}", hint="packager inspect FILE shows its datasets"
        ) from error
    if numbers.ndim > 1 or not np.isfinite(numbers).all():
        raise SignatureError(f"{name!r} in {str(file)!r} has shape {values.shape}, or is not finite")
    return float(numbers) if numbers.ndim == 0 else tuple(numbers.tolist())


def read_words(file: Path) -> tuple[str, ...]:
    """Read one word or label a line; empty lines count, but for the end of the last one."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SignatureError(f"cannot read {str(file)!r}: {error}", hint="one a line, in UTF-8") from error
    return tuple(text.removesuffix("\n").split("\n"))


def _dataset(file: Path, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    with h5py.File(file, "r") as opened:
        found = opened.get(name)
        if not isinstance(found, h5py.Dataset):
            raise KeyError("no such dataset")
        if found.external or found.is_virtual or found.size > 1_000_000:
            raise ValueError("not a small dataset of this very file")
        return np.asarray(found[()])
