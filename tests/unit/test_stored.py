"""Datasets that stay in their file: the bytes they give are those that h5py reads, whatever the layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import google_crc32c
import h5py
import numpy as np
import pytest

from packager.errors import ModelFileError, ModelLoadError
from packager.stored import BUFFER, SLAB, StoredArray, array_of

VALUES = np.random.RandomState(0).normal(size=(2500, 1000)).astype(np.float32)  # 10 MB: more than a buffer

LAYOUTS: dict[str, Callable[[h5py.File], Any]] = {
    "contiguous": lambda file: file.create_dataset("w", data=VALUES),
    "chunked": lambda file: file.create_dataset("w", data=VALUES, chunks=(7, 300)),
    "gzip": lambda file: file.create_dataset("w", data=VALUES[:300], chunks=(100, 33), compression="gzip"),
    "lzf": lambda file: file.create_dataset("w", data=VALUES, compression="lzf", shuffle=True),
    "one chunk": lambda file: file.create_dataset("w", data=VALUES, chunks=VALUES.shape),
    "big-endian": lambda file: file.create_dataset("w", data=VALUES.astype(">f4")),
    "float16": lambda file: file.create_dataset("w", data=VALUES.astype(np.float16)),
    "float64": lambda file: file.create_dataset("w", data=VALUES.astype(np.float64)),
    "int64": lambda file: file.create_dataset("w", data=(VALUES * 100).astype(np.int64)),
    "never written": lambda file: file.create_dataset("w", shape=(300, 300), dtype="f4", fillvalue=2),
    "scalar": lambda file: file.create_dataset("w", data=np.float32(3)),
    "empty": lambda file: file.create_dataset("w", data=np.zeros((0, 3), np.float32)),
}
AT_THEIR_PLACE = {"contiguous", "float16", "float64", "int64", "scalar"}


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., StoredArray]:
    def made(name: str, **options: Any) -> StoredArray:
        with h5py.File(tmp_path / "weights.h5", "w", **options) as file:
            LAYOUTS[name](file)
        with h5py.File(tmp_path / "weights.h5") as file:
            return StoredArray.of(file["w"])

    return made


@pytest.mark.parametrize("wanted", [None, "float32", "float16"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_the_bytes_are_those_of_the_dataset(
    make: Callable[..., StoredArray], name: str, wanted: str | None
) -> None:
    stored = make(name, userblock_size=1024)
    assert (stored.extent is not None) == (name in AT_THEIR_PLACE)
    with h5py.File(stored.file) as file:
        expected = np.asarray(file["w"][()])
    expected = expected.astype(wanted or stored.dtype)
    stored = stored if wanted is None else stored.astype(wanted)
    blocks = [len(block) for block in stored.blocks()]
    assert sum(blocks) == stored.nbytes == expected.nbytes
    assert max(blocks, default=0) <= (BUFFER if stored.extent is not None else SLAB)
    read = stored.read()
    assert read.tobytes() == expected.tobytes()
    assert read.shape == expected.shape


def test_what_is_turned_is_read_whole(make: Callable[..., StoredArray]) -> None:
    stored = make("contiguous")
    turned = stored.turned(np.transpose, shape=stored.shape[::-1], transform="transpose 1 0")
    assert turned.extent is None
    np.testing.assert_array_equal(turned.read(), VALUES.T)
    np.testing.assert_array_equal(np.asarray(stored)[3:5], stored[3:5])


def test_only_large_ones_stay_in_the_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["large"], file["small"] = VALUES, VALUES[:10, 0]
        assert isinstance(array_of(file["large"]), StoredArray)
        np.testing.assert_array_equal(array_of(file["small"]), VALUES[:10, 0])


def test_a_file_that_ends_too_early_is_told(make: Callable[..., StoredArray]) -> None:
    stored = make("contiguous")
    with stored.file.open("r+b") as file:
        file.truncate(stored.file.stat().st_size // 2)
    with pytest.raises(ModelFileError, match="the file ends in the middle of it"):
        list(stored.blocks())


def test_a_damaged_chunk_is_told(make: Callable[..., StoredArray]) -> None:
    stored = make("gzip")
    size = stored.file.stat().st_size
    with stored.file.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * 4096)
    with pytest.raises(ModelFileError, match="cannot read '/w'"):
        list(stored.blocks())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda file: file.create_dataset("d", data=np.ones(3, "c8")), "of type complex64"),
        (lambda file: file.create_dataset("d", data=["a"], dtype=h5py.string_dtype()), "of type object"),
        (lambda file: file.create_dataset("d", data=h5py.Empty("f4")), "without any value"),
        (lambda file: file.create_dataset("d", (2,), np.dtype([("a", "f4")])), "of type"),
        (lambda file: file.create_group("d"), "a group"),
    ],
)
def test_what_holds_no_real_numbers_is_an_error(tmp_path: Path, make: Any, says: str) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        make(file)
        with pytest.raises(ModelLoadError, match=f"'/d' is .*{says}"):
            array_of(file["d"])


@pytest.mark.parametrize("name", sorted(LAYOUTS.keys() - {"scalar", "empty"}))
def test_pieces_and_rows_are_those_of_the_dataset(make: Callable[..., StoredArray], name: str) -> None:
    stored = make(name)
    expected = stored.read()
    pieces = {begin: piece.copy() for begin, piece in stored.pieces(1 << 20)}
    assert list(pieces) == list(np.cumsum([0, *map(len, pieces.values())]))[:-1]
    assert np.concatenate(list(pieces.values())).tobytes() == expected.tobytes()
    if stored.extent is not None:
        assert all(piece.nbytes <= 1 << 20 for piece in pieces.values())
        assert len(pieces) > 1
    numbers = np.array([0, 7, 8, stored.shape[0] - 1])
    assert stored.rows(numbers, 1 << 20).tobytes() == expected[numbers].tobytes()


def test_other_bytes_than_the_checksum_is_of_are_told(make: Callable[..., StoredArray]) -> None:
    right = google_crc32c.value(VALUES.tobytes())
    stored = replace(make("contiguous"), checksum=right)
    readings: list[Callable[[StoredArray], Any]] = [
        lambda array: array.read(),
        lambda array: [bytes(block) for block in array.blocks()],
        lambda array: [begin for begin, _ in array.pieces(1 << 20)],
        lambda array: array.rows(np.array([3]), 1 << 20),
    ]
    for read in readings:
        read(stored)
        with pytest.raises(ModelFileError, match="its bytes are not those that were written"):
            read(replace(stored, checksum=right ^ 1))
