"""Version folders, ``<output>/<name>/<version>``: written aside, and put in place by one rename.

TensorFlow Serving polls the base path and loads a version as soon as a folder named by a number is
there, so such a folder must never be incomplete. The work lies in ``.<version>.new-…`` until then; a dot
in front is no number to the server. Whoever makes a version holds a lock on its work folder, so a work
folder without one was left behind by a process that died, and the next run removes it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packager.errors import OutputError, VersionExistsError
from packager.values import ServableVersion, check_model_name, check_version

_WORK = ".new-"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSlot:
    """A place for a version that is being made: fill ``work``, then ``publish``."""

    base_path: Path
    name: str
    version: int | None
    """The wanted number, ``None`` for the next free one."""
    replace: bool
    work: Path

    def publish(self) -> ServableVersion:
        """Put the finished work in place in one step and return it.

        Raises VersionExistsError where the wanted number was taken in the meantime.
        """
        self.work.chmod(0o755)
        while True:
            version = next_version(self.base_path) if self.version is None else self.version
            target = self.base_path / str(version)
            try:
                if self.replace and target.exists():
                    _exchange(self.work, target)  # the old one is now the work folder, removed at the end
                else:
                    _rename_new(self.work, target)
                return ServableVersion(name=self.name, version=version, path=target)
            except FileExistsError:
                if self.version is not None:
                    raise _taken(target) from None


@contextlib.contextmanager
def new_version(
    output: Path, name: str, *, version: int | None = None, replace: bool = False
) -> Iterator[VersionSlot]:
    """Make room for a version of model ``name`` under ``output``; whatever is not published is removed.

    Raises VersionExistsError where ``version`` is there already and ``replace`` is not asked for, and
    OutputError where nothing can be written.
    """
    base_path = output / check_model_name(name)
    if version is not None and not replace and (base_path / str(check_version(version))).exists():
        raise _taken(base_path / str(version))
    made = [folder for folder in (base_path, *base_path.parents) if not folder.exists()]
    try:
        base_path.mkdir(parents=True, exist_ok=True)
        with _work_folder(base_path, "next" if version is None else str(version)) as work:
            yield VersionSlot(base_path=base_path, name=name, version=version, replace=replace, work=work)
    except OSError as error:
        raise output_error(error, base_path) from error
    finally:
        _remove_empty(made)


def version_folders(base_path: Path) -> dict[int, Path]:
    """Return the version folders under ``base_path``, ascending; ``00012`` is version 12."""
    folders = (
        [p for p in base_path.iterdir() if p.name.isdecimal() and p.is_dir()] if base_path.is_dir() else []
    )
    return {int(folder.name): folder for folder in sorted(folders, key=lambda p: int(p.name))}


def next_version(base_path: Path) -> int:
    """Return the number after the highest version, 1 where there is none."""
    return max(version_folders(base_path), default=0) + 1


def output_error(error: OSError, place: Path) -> OutputError:
    """Tell what the operating system said about writing at ``place``."""
    hints = {
        errno.ENOSPC: "free some space, or write elsewhere: --output DIR",
        errno.EACCES: "choose a folder that you may write to: --output DIR",
        errno.EROFS: "choose a folder that you may write to: --output DIR",
        errno.ENOTDIR: "a file is in the way: --output DIR",
        errno.EEXIST: "a file is in the way: --output DIR",
    }
    reason = (error.strerror or str(error)).lower()
    return OutputError(
        f"cannot write {os.fspath(place)!r}: {reason}",
        hint=hints.get(error.errno or 0, "write elsewhere: --output DIR"),
    )


def _taken(target: Path) -> VersionExistsError:
    return VersionExistsError(
        f"version {target.name} exists already: {os.fspath(target)!r}",
        hint="leave out --version for the next free one, or replace it: --force",
    )


@contextlib.contextmanager
def _work_folder(base_path: Path, label: str) -> Iterator[Path]:
    """Make a folder to work in, locked by this process, and remove it at the end."""
    with contextlib.ExitStack() as held:
        with _locked(base_path):  # until it is locked itself, another run would take it for abandoned
            _remove_abandoned(base_path)
            work = Path(tempfile.mkdtemp(prefix=f".{label}{_WORK}", dir=base_path))
            held.callback(shutil.rmtree, work, ignore_errors=True)
            held.enter_context(_locked(work))
        yield work


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock on ``folder`` that ends with this process, whatever ends it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(base_path: Path) -> None:
    for folder in base_path.glob(f".*{_WORK}*"):
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # somebody is at work there
            else:
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders that this run made and left empty, innermost first."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _rename_new(source: Path, target: Path) -> None:
    """Rename ``source`` to ``target``, or raise FileExistsError: a plain rename replaces an empty folder."""
    if not _renameat2(source, target, _RENAME_NOREPLACE):
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(target))
        try:
            source.rename(target)
        except OSError as error:
            if error.errno == errno.ENOTEMPTY:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(target)) from error
            raise


def _exchange(source: Path, target: Path) -> None:
    """Swap two folders in one step; where the system cannot, move the old one aside first."""
    if not _renameat2(source, target, _RENAME_EXCHANGE):
        aside = source.with_name(f"{source.name}-old")
        target.rename(aside)
        try:
            source.rename(target)
        except OSError:
            aside.rename(target)
            raise
        aside.rename(source)


_RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2
_AT_FDCWD = -100


def _renameat2(source: Path, target: Path, flags: int) -> bool:
    """Call Linux' renameat2(2); ``False`` where the system or the file system does not offer it."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if call is None:
        return False
    if call(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), os.fspath(target))
