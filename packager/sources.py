"""What a conversion begins with, a file or a SavedModel: let through, watched, taken or signed anew."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packager.errors import ModelFileError, UsageError
from packager.h5 import admit
from packager.savedmodel.source import admit_saved_model, is_saved_model, require_tensors, source_files
from packager.values import ConversionOptions, FileKind, Inspection, Supplied

if TYPE_CHECKING:
    from packager.signatures import Declaration


Identities = Mapping[str, tuple[int, ...] | None]
"""What changes whenever a file is written to or replaced, by name; ``None`` of what is no file."""


def identities(path: Path) -> Identities:
    """Return by what it is seen later whether a source is still what it was."""
    names = source_files(path) if is_saved_model(path) else ["."]
    return {name: _identity(path / name) for name in names}


def require_unchanged(path: Path, before: Identities) -> None:
    """Raise ModelFileError where a file was written to, replaced, added or removed since ``before``."""
    if identities(path) != before:
        raise ModelFileError(
            f"{os.fspath(path)!r} was changed while it was read: what was loaded may not be what was checked",
            hint="wait until it is written, or copy it, and try again",
        )


def _identity(path: Path) -> tuple[int, ...] | None:
    """Return that of one file. Its last change (``st_ctime``) is the system's own: nobody sets it back."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None  # whoever goes on to read it says why
    if not stat.S_ISREG(status.st_mode):
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def admitted(path: Path, supplied: Supplied) -> tuple[Inspection, Mapping[str, Any] | None]:
    """Inspect ``path`` and let it through; return its architecture too, where it is a file that has one.

    Raises ModelFileError, or UsageError where ``supplied`` has what it does not lack.
    """
    if is_saved_model(path):
        return admit_saved_model(path, supplied), None
    return admit(path, supplied)


def taken_as_it_is(inspection: Inspection, options: ConversionOptions, declaration: Declaration) -> bool:
    """Tell whether a source is copied: a SavedModel that is to keep its own signatures.

    Raises UsageError or SignatureError where a SavedModel cannot be what is asked for.
    """
    from packager.signatures import Declaration

    if inspection.kind is not FileKind.SAVED_MODEL:
        return False
    if options.optimize:
        raise UsageError(
            f"--optimize changes weights of layers, and {os.fspath(inspection.path)!r}, a SavedModel, tells "
            "of none",
            hint="convert the .h5 file that it was made from, or leave --optimize out",
        )
    if not options.input_names and not options.output_names and declaration == Declaration():
        return True
    require_tensors(inspection.path)
    return False
