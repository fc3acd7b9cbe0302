"""Opening an HDF5 file, with an error of ours where libhdf5 has one."""

from __future__ import annotations

import os
from pathlib import Path

import h5py

from packager.errors import ModelFileError
from packager.h5.attributes import READ_ERRORS


def open_file(path: Path) -> h5py.File:
    """Open ``path`` for reading. Raises ModelFileError."""
    try:
        return h5py.File(path, "r")
    except BlockingIOError as error:
        raise ModelFileError(
            f"{os.fspath(path)!r} is open for writing elsewhere", hint="wait until it is written, or copy it"
        ) from error
    except READ_ERRORS as error:
        raise ModelFileError(
            f"{os.fspath(path)!r} is damaged: {error}", hint="copy or download it again"
        ) from error
