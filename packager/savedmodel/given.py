"""Real requests, given by the user: arrays by input name in an ``.npz``, or one array in an ``.npy``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from packager.contract import DAMAGED
from packager.errors import UsageError
from packager.savedmodel.samples import BATCHES, Array
from packager.values import TensorSpec

_HINT = "np.savez(FILE, NAME=array, …): one array for each input, the batch first"


def read_requests(file: Path, specs: Sequence[TensorSpec]) -> list[list[Array]]:
    """Read the arrays of ``file`` as requests: the first example, the first two, and all of them.

    Raises UsageError where they are not what ``specs`` take.
    """
    arrays = _read(file, specs)
    if missing := {spec.name for spec in specs} ^ arrays.keys():
        raise UsageError(
            f"the samples have {_listed(arrays)}, the model takes {_listed(s.name for s in specs)}: "
            f"{_listed(missing)} differ",
            hint=_HINT,
        )
    given = [fitting(spec, arrays[spec.name]) for spec in specs]
    sizes = {len(array) for array in given}
    if len(sizes) != 1 or 0 in sizes:
        raise UsageError(f"the samples of the inputs are {sorted(sizes)} examples", hint="as many for each")
    (total,) = sizes
    if any(spec.batch() is not None for spec in specs):
        return [given]
    batches = sorted({min(batch, total) for batch in BATCHES[:-1]} | {total})
    return [[array[:batch] for array in given] for batch in batches]


def _read(file: Path, specs: Sequence[TensorSpec]) -> Mapping[str, Array]:
    try:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {specs[0].name: loaded}
        with loaded:
            return dict(loaded)
    except (OSError, ValueError, *DAMAGED) as error:
        raise UsageError(f"cannot read the samples {str(file)!r}: {error}", hint=_HINT) from error


def fitting(spec: TensorSpec, array: Array) -> Array:
    """Return samples in the type that an input takes, or raise UsageError where their shape is another."""
    same_rank = array.ndim == len(spec.shape)
    if not same_rank or any(
        wanted not in (None, size) for wanted, size in zip(spec.shape, array.shape, strict=True)
    ):
        raise UsageError(f"samples of shape {list(array.shape)} for input {spec}", hint=_HINT)
    if spec.dtype == "string":
        return np.array([_bytes(value) for value in array.ravel()], dtype=object).reshape(array.shape)
    if not np.can_cast(array.dtype, spec.dtype, "same_kind") and array.dtype.kind not in "iub":
        raise UsageError(f"samples of type {array.dtype} for input {spec}", hint=_HINT)
    cast: Array = array.astype(spec.dtype)
    return cast


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _listed(names: Any) -> str:
    return ", ".join(repr(name) for name in sorted(names)) or "none"
