"""The files beside a declaration: statistics of the training data, vocabularies, class labels."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from packager.contract import DAMAGED
from packager.errors import SignatureError
from packager.signatures.steps import Numbers


def read_numbers(file: Path, name: str, *, where: str) -> Numbers:
    """Read the numbers ``name`` of an ``.npz`` or ``.h5`` file: one, or a list of them.

    ``where`` is the place in the declaration that asks. Raises SignatureError where there are none, or they
    are not finite.
    """
    try:
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                values = np.asarray(arrays[name])
        else:
            values = _dataset(file, name)
        numbers = np.squeeze(values).astype(np.float64)
    except (OSError, KeyError, ValueError, TypeError, *DAMAGED) as error:
        raise SignatureError(
            f"{where}: no numbers {name!r} in {str(file)!r}: {_reason(error)}", hint=_names_in(file)
        ) from error
    if numbers.ndim > 1 or not np.isfinite(numbers).all():
        raise SignatureError(
            f"{where}: {name!r} in {str(file)!r} has shape {list(values.shape)}, or is not finite",
            hint="one finite number, or a list of them",
        )
    return float(numbers) if numbers.ndim == 0 else tuple(numbers.tolist())


def read_words(file: Path, *, where: str) -> tuple[str, ...]:
    """Read one word or label a line; empty lines count, but for the end of the last one."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SignatureError(
            f"{where}: cannot read {str(file)!r}: {_reason(error)}", hint="a file of one a line, in UTF-8"
        ) from error
    return tuple(text.removesuffix("\n").split("\n"))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error.args[0]) if error.args else str(error)


def _names_in(file: Path) -> str:
    """Return a hint with the names of the arrays in ``file``, as far as it can be read."""
    names: list[str] = []
    try:
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                names = list(arrays)
        else:
            with h5py.File(file, "r") as opened:
                opened.visititems(lambda name, found: _note(names, name, found))
    except (OSError, ValueError, RuntimeError, *DAMAGED):
        return "an .npz file, or a dataset of the model's own .h5 file"
    return f"there are: {', '.join(names[:20])}{', …' if len(names) > 20 else ''}"


def _note(names: list[str], name: str, found: object) -> None:
    if isinstance(found, h5py.Dataset) and sum(size != 1 for size in found.shape) <= 1:
        names.append(name)


def _dataset(file: Path, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    with h5py.File(file, "r") as opened:
        found = opened.get(name)
        if not isinstance(found, h5py.Dataset):
            raise KeyError("no such dataset")
        if found.external or found.is_virtual or found.size > 1_000_000:
            raise ValueError("not a small dataset of this very file")
        return np.asarray(found[()])
