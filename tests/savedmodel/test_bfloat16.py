"""Numbers of a type that HDF5 has not, which Keras keeps as bytes."""

from __future__ import annotations

from pathlib import Path

import h5py
import ml_dtypes
import numpy as np
import pytest

from packager.stored import StoredArray, numbers

pytestmark = pytest.mark.tensorflow  # ml_dtypes comes with it

VALUES = np.random.RandomState(0).normal(size=(2500, 1000)).astype(np.float32)


def test_bfloat16_is_taken_as_it_is_kept(tmp_path: Path) -> None:
    values = VALUES.astype(ml_dtypes.bfloat16)
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["w"] = values.view("V2")
        file.create_dataset("c", data=values.view("V2"), chunks=(100, 100), compression="gzip")
    with h5py.File(tmp_path / "weights.h5") as file:
        for name in "wc":
            stored = StoredArray.of(file[name])
            assert stored.dtype == ml_dtypes.bfloat16
            assert stored.read().tobytes() == values.tobytes()
            assert numbers(file[name]).tobytes() == values.tobytes()
            assert stored.astype("float32").read().tobytes() == values.astype(np.float32).tobytes()
