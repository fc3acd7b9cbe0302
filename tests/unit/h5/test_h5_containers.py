"""What is not an HDF5 file, or not all of one, is named for what it is."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5_files import DENSE, dense_model, write_model

from packager.errors import ModelFileError
from packager.h5 import inspect_file


def failure(path: Path) -> ModelFileError:
    with pytest.raises(ModelFileError) as caught:
        inspect_file(path)
    assert caught.value.hint
    assert type(caught.value) is ModelFileError
    return caught.value


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><html><body>Not found</body></html>", "is an HTML page, not a model"),
        (b"<HTML></HTML>", "is an HTML page, not a model"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "is an XML document"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "is a git-lfs pointer"),
        (b'{"class_name": "Sequential"}', "is JSON text"),
        (b"\x1f\x8b\x08\x00 gzip", "is gzip data"),
        (b"\x93NUMPY\x01\x00", "is a NumPy array"),
        (b"\x80\x04\x95 pickle", "is a Python pickle"),
        (b"\x08\x01\x12\x02 protobuf", r"is not an HDF5 file: it starts with b'\x08\x01\x12"),
        (b"\x89HDF\r\n\x1a", "is not an HDF5 file"),
    ],
)
def test_impostors_are_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    assert said in failure(path).message


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (["config.json", "model.weights.h5", "metadata.json"], "model.weights.h5 in "),
        (["model.h5"], "is a zip archive"),
    ],
)
def test_archives_are_told_apart(tmp_path: Path, members: list[str], said: str) -> None:
    path = tmp_path / "model.h5"
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, "content")
    assert said in failure(path).message


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    assert "no such file" in failure(tmp_path / "missing.h5").message
    assert "cannot read" in failure(tmp_path / "pipe" / "model.h5").message
    assert "cannot read" in failure(tmp_path / "null\0byte").message
    assert "is a folder" in failure(tmp_path).message
    assert "is a SavedModel folder" in failure(tmp_path / "saved").message
    assert "is not a regular file" in failure(tmp_path / "pipe").message


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.h5", dense_model(), {"dense": DENSE})
    path.chmod(0)
    user = os.geteuid()
    if user == 0:  # whom no mode keeps out
        os.seteuid(65534)
    try:
        assert f"cannot read '{path}': permission denied" in failure(path).message
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("version", ["earliest", "v108", "latest"])
@pytest.mark.parametrize("user_block", [0, 512, 4096])
def test_a_truncated_file_tells_how_much_is_there(tmp_path: Path, version: str, user_block: int) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w", libver=(version, "latest"), userblock_size=user_block) as file:
        file["kernel"] = np.ones(5000, "f4")
    whole = path.read_bytes()
    assert inspect_file(path).parameters == 5000
    path.write_bytes(whole[:9000])
    assert f"is truncated: 9,000 of {len(whole):,} bytes" in failure(path).message


def test_truncation_anywhere_is_an_error_of_ours(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.h5", dense_model(), {"dense": DENSE})
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        failure(path)


def test_a_user_block_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w", userblock_size=1024) as file:
        file["kernel"] = np.ones(3)
    with path.open("r+b") as raw:
        raw.write(b"#!/bin/sh\n")
    assert inspect_file(path).parameters == 3


def test_an_hdf5_file_with_nothing_in_it(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "model.h5", "w"):
        pass
    assert "is an HDF5 file with nothing in it" in failure(tmp_path / "model.h5").message


def test_a_file_that_is_being_written(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.h5", dense_model(), {"dense": DENSE})
    writer = subprocess.Popen(
        [sys.executable, "-c", "import h5py, sys; f = h5py.File(sys.argv[1], 'r+'); print(); input()", path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with writer:
        assert writer.stdout
        writer.stdout.readline()
        assert "is open for writing elsewhere" in failure(path).message
    assert inspect_file(path).parameters == 10


def test_a_file_that_this_process_has_open(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.h5", dense_model(), {"dense": DENSE})
    with h5py.File(path):
        assert inspect_file(path).parameters == 10
