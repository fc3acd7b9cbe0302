"""Whether a file is still the one that was inspected, when what was made of it is to be kept."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TypeAlias

from packager.errors import ModelFileError

Identity: TypeAlias = tuple[int, ...]


def identity(path: Path) -> Identity | None:
    """Return what changes whenever ``path`` is written to or replaced, ``None`` where it is no file.

    The time of its last change (``st_ctime``) is the system's own: nobody can set it back.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None  # whoever goes on to read it says why
    if not stat.S_ISREG(status.st_mode):
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def require_unchanged(path: Path, before: Identity | None) -> None:
    """Raise ModelFileError where ``path`` was written to or replaced since it was ``before``."""
    if identity(path) != before:
        raise ModelFileError(
            f"{os.fspath(path)!r} was changed while it was read: what was loaded may not be what was checked",
            hint="wait until it is written, or copy it, and try again",
        )
