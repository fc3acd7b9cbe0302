"""Weights written beside the process that asks the model: the same files, or none of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest

from packager.companion import companion
from packager.errors import ModelFileError
from packager.progress import Event
from packager.savedmodel.streaming import (
    PREFIX,
    Streamed,
    WritingAhead,
    begin_checkpoint,
    stream,
    write_as_told,
)
from packager.stored import StoredArray

FLOAT = 1


@pytest.fixture
def tensors(tmp_path: Path) -> list[Streamed]:
    random = np.random.default_rng(0)
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file["plain"] = random.normal(size=(300, 1000)).astype("f4")
        file.create_dataset("packed", data=random.normal(size=(100, 100)).astype("f4"), compression="gzip")
        file["odd"] = np.array([1, np.nan], "f4")
    return described(tmp_path / "model.h5")


def described(path: Path) -> list[Streamed]:
    with h5py.File(path) as file:
        return [
            Streamed(key=f"weights/{i}", dtype=FLOAT, array=StoredArray.of(file[name]))
            for i, name in enumerate(("plain", "packed", "odd"))
        ]


@pytest.fixture
def ahead() -> Iterator[WritingAhead]:
    with companion(write_as_told, doing="writing the weights") as writer:
        yield WritingAhead(writer)


def test_the_files_are_those_of_one_process(
    tmp_path: Path, tensors: Sequence[Streamed], ahead: WritingAhead
) -> None:
    events: list[Event] = []
    ahead.begin(tmp_path / "ahead", tensors)
    written = ahead.finish(list(tensors), events.append)
    assert written is not None
    begun, odd = written
    here = begin_checkpoint(tmp_path / "here")
    assert odd == stream(here, tensors) == ["/odd"]
    for bundle in (begun, here):
        with bundle:
            bundle.add("last", dtype=FLOAT, shape=(1,), blocks=[b"1234"])
    assert contents(tmp_path / "ahead") == contents(tmp_path / "here")
    assert len(contents(tmp_path / "here")) == 2
    assert {event.text for event in events} == {"writing the weights"}
    assert {event.total for event in events} == {4 * (300_000 + 10_000 + 2)}


def test_what_the_graphs_do_not_read_is_taken_back(
    tmp_path: Path, tensors: Sequence[Streamed], ahead: WritingAhead
) -> None:
    events: list[Event] = []
    ahead.begin(tmp_path, tensors)
    assert ahead.finish(tensors[1:], events.append) is None
    assert contents(tmp_path) == {}
    assert [event.text for event in events] == [
        "the weights are written anew: the graphs do not read just what was begun with"
    ]


def test_other_arrays_are_not_taken_for_those_that_were_begun_with(
    tmp_path: Path, tensors: Sequence[Streamed], ahead: WritingAhead
) -> None:
    ahead.begin(tmp_path, tensors)
    assert ahead.finish(described(tmp_path / "model.h5"), lambda _: None) is None


def test_what_is_turned_is_left_to_the_process_that_knows_how(
    tmp_path: Path, tensors: Sequence[Streamed], ahead: WritingAhead
) -> None:
    turned = tensors[0].array.turned(lambda array: array.T, shape=(1000, 300), transform="transpose")
    tensors = [dataclasses.replace(tensors[0], array=turned), *tensors[1:]]
    ahead.begin(tmp_path, tensors)
    assert ahead.finish(tensors, lambda _: None) is None
    assert not (tmp_path / PREFIX).parent.exists()


def test_a_damaged_file_is_told(tmp_path: Path, tensors: Sequence[Streamed], ahead: WritingAhead) -> None:
    with (tmp_path / "model.h5").open("r+b") as file:
        file.truncate(100_000)
    ahead.begin(tmp_path, tensors)
    with pytest.raises(ModelFileError, match=r"cannot read '/plain' in .*model.h5'"):
        ahead.finish(tensors, lambda _: None)


def test_a_folder_that_takes_no_files_is_told(
    tmp_path: Path, tensors: Sequence[Streamed], ahead: WritingAhead
) -> None:
    (tmp_path / "taken").write_text("a file")
    ahead.begin(tmp_path / "taken", tensors)
    with pytest.raises(NotADirectoryError):
        ahead.finish(tensors, lambda _: None)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (folder / PREFIX).parent.glob("*")}
