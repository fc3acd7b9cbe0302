"""The running Python, as a relocatable tree: interpreter, standard library, and chosen distributions."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packager.errors import BaseUnavailableError
from packager.image.tarball import Entry, tree

NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"

# Parts of the standard library that a server has no use for, by file name.
_UNUSED = {"__pycache__", "site-packages", "dist-packages"}
_UNUSED |= {"test", "tests", "unittest", "doctest.py", "idlelib", "tkinter", "turtledemo", "turtle.py"}
_UNUSED |= {"ensurepip", "venv", "distutils", "lib2to3", "pydoc_data", "pydoc.py"}
_UNUSED |= {"curses", "dbm", "sqlite3", "wsgiref", "xmlrpc"}

_UNUSED_PREFIXES = (
    *("_tkinter", "_test", "_ctypes_test", "_curses", "_sqlite3", "_dbm", "_gdbm"),
    *("xx", "nis.", "readline", "config-", "libpython"),
)

_BUILD_ONLY = frozenset((".pyx", ".pxd", ".pxi", ".pyi", ".c", ".cpp", ".h", ".pyc"))
_INSTALLER_ONLY = frozenset(("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"))


def interpreter(home: str, source: Path | None = None) -> Entry:
    """Return the interpreter itself, not the link to it that a virtual environment has."""
    return Entry(path=f"{home}/bin/{NAME}", source=source or interpreter_path(), mode=0o755)


def interpreter_path() -> Path:
    """Return where the interpreter is that runs this."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def standard_library(home: str, source: Path | None = None) -> Iterator[Entry]:
    """Yield the standard library where the interpreter looks for it: relative to its own place."""
    source = source or Path(sysconfig.get_path("stdlib"))
    yield from tree(source, f"{home}/{sys.platlibdir}/{NAME}", skip=_is_unused)


def distribution(name: str, site: str) -> Iterator[Entry]:
    """Yield the files of an installed distribution below ``site``, its licences included."""
    try:
        files = metadata.distribution(name).files or []
    except metadata.PackageNotFoundError:
        raise BaseUnavailableError(
            f"the runtime needs the distribution {name!r}, which is not installed", hint=f"pip install {name}"
        ) from None
    for file in files:
        if ".." not in file.parts and file.suffix not in _BUILD_ONLY and file.name not in _INSTALLER_ONLY:
            yield Entry(path=f"{site}/{file.as_posix()}", source=Path(str(file.locate())))


def _is_unused(path: Path) -> bool:
    return path.name in _UNUSED or path.name.startswith(_UNUSED_PREFIXES) or path.suffix == ".a"
