"""What a file must be before libhdf5 is let at it: an HDF5 file, and all of it.

The superblock is read as the HDF5 file format specification describes it (section II.A, versions 0 to 3).
"""

from __future__ import annotations

import os
import shlex
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from packager.errors import ModelFileError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SAVE = "save the model as HDF5: model.save('model.h5')"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Impostor:
    prefixes: tuple[bytes, ...]
    what: str
    hint: str


_DOWNLOAD = "download the file itself: curl -LO URL"
_IMPOSTORS = (
    _Impostor(
        prefixes=(b"version https://git-lfs.github.com/spec/",),
        what="a git-lfs pointer, not a model",
        hint="fetch the file that it stands for: git lfs pull",
    ),
    _Impostor(prefixes=(b"<!doctype html", b"<html"), what="an HTML page, not a model", hint=_DOWNLOAD),
    _Impostor(prefixes=(b"<?xml",), what="an XML document, not a model", hint=_DOWNLOAD),
    _Impostor(prefixes=(b"{",), what="JSON text, not an HDF5 file", hint=_SAVE),
    _Impostor(
        prefixes=(b"\x1f\x8b",), what="gzip data, not an HDF5 file", hint="unpack it first: gunzip FILE"
    ),
    _Impostor(prefixes=(b"\x93numpy",), what="a NumPy array, not an HDF5 file", hint=_SAVE),
    _Impostor(
        prefixes=(b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"),
        what="a Python pickle, not an HDF5 file",
        hint=_SAVE,
    ),
)
"""Known by their first bytes, in lower case and without white space."""


def check_container(path: Path) -> os.stat_result:
    """Return the status of the HDF5 file at ``path``, or raise ModelFileError saying what it is instead."""
    try:
        status = path.stat()
        _check_regular(path, status)
        with path.open("rb") as file:
            _check_hdf5(path, file, status.st_size)
    except FileNotFoundError as error:
        raise ModelFileError(f"no such file: {_quoted(path)}", hint="check the path: ls -l") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelFileError(
            f"cannot read {_quoted(path)}: {reason.lower()}", hint=f"ls -l {_quoted(path)}"
        ) from error
    return status


def _quoted(path: Path) -> str:
    return repr(os.fspath(path))


def _check_regular(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        if (path / "saved_model.pb").is_file():
            raise ModelFileError(
                f"{_quoted(path)} is a SavedModel folder, not an .h5 file",
                hint=f"packager convert {shlex.quote(os.fspath(path))} --name NAME takes it",
            )
        versions = sorted(version.parent for version in path.glob("*/saved_model.pb"))
        raise ModelFileError(
            f"{_quoted(path)} is a folder, not an .h5 file",
            hint=f"give the SavedModel in it: {versions[-1]}" if versions else "give a file inside it",
        )
    if not stat.S_ISREG(status.st_mode):
        raise ModelFileError(
            f"{_quoted(path)} is not a regular file", hint="copy its content to a file first"
        )


def _check_hdf5(path: Path, file: BinaryIO, size: int) -> None:
    if size == 0:
        raise ModelFileError(f"{_quoted(path)} is empty", hint="save or copy it again")
    for offset in _candidates(size):
        file.seek(offset)
        superblock = file.read(128)
        if superblock.startswith(_SIGNATURE):
            if (end := _end_of_file(superblock)) is not None and size < end:
                raise ModelFileError(
                    f"{_quoted(path)} is truncated: {size:,} of {end:,} bytes",
                    hint="copy or download it again",
                )
            return
    raise _impostor(path, file)


def _candidates(size: int) -> Iterator[int]:
    """Yield where a superblock may start: 0, then 512, 1024, 2048… behind a user block."""
    yield 0
    offset = 512
    while offset < size:
        yield offset
        offset *= 2


def _end_of_file(superblock: bytes) -> int | None:
    """Return the end-of-file address that the superblock declares, ``None`` where it makes no sense."""
    version = superblock[8] if len(superblock) > 8 else None
    if version in (0, 1):
        width, field = superblock[13:14], 24 if version == 0 else 28
    elif version in (2, 3):
        width, field = superblock[9:10], 12
    else:
        return None
    size = int.from_bytes(width, "little")
    start = field + 2 * size  # after the base address and one more address comes the end of the file
    address = superblock[start : start + size]
    if size not in (2, 4, 8) or len(address) < size:
        return None
    return int.from_bytes(address, "little")


def _impostor(path: Path, file: BinaryIO) -> ModelFileError:
    if path.name == "saved_model.pb":
        return ModelFileError(
            f"{_quoted(path)} is the graph of a SavedModel, which is a folder",
            hint=f"give the folder that it lies in: {shlex.quote(os.fspath(path.parent))}",
        )
    file.seek(0)
    head = file.read(256)
    if zipfile.is_zipfile(file):
        return ModelFileError(
            f"{_quoted(path)} is a zip archive, not an HDF5 file", hint="unpack it first: unzip FILE"
        )
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for impostor in _IMPOSTORS:
        if text.startswith(impostor.prefixes):
            return ModelFileError(f"{_quoted(path)} is {impostor.what}", hint=impostor.hint)
    return ModelFileError(f"{_quoted(path)} is not an HDF5 file: it starts with {head[:16]!r}", hint=_SAVE)
