"""Tar streams that depend on names, modes and contents alone: the same tree gives the same bytes."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packager.errors import BuildError

CHUNK = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One member of a tar stream: a file (of ``source``, ``content`` or ``chunks``), a folder, or a link."""

    path: str
    """Relative, with ``/`` between its parts and none at its ends."""
    mode: int = 0o644
    source: Path | None = None
    content: bytes = b""
    chunks: Callable[[], Iterator[bytes]] | None = None
    """Makes the content of a file of ``length`` bytes."""
    length: int = 0
    directory: bool = False
    link: str | None = None

    def __post_init__(self) -> None:
        if not self.path or self.path != os.path.normpath(self.path) or self.path.startswith(("/", "..")):
            raise ValueError(f"not a relative, normal path: {self.path!r}")

    @property
    def size(self) -> int:
        """Bytes of the file's content."""
        return self.source.stat().st_size if self.source else self.length or len(self.content)

    def content_chunks(self) -> Iterator[bytes]:
        """Yield a file's content, or raise BuildError where it cannot be read or changes while it is."""
        try:
            yield from _content(self, self.size)
        except OSError as error:
            raise BuildError(f"cannot read '{self.source}': {error.strerror}") from error


def folder(path: str, mode: int = 0o755) -> Entry:
    """Return the entry of a folder."""
    return Entry(path=path, mode=mode, directory=True)


def tree(source: Path, under: str, *, skip: Callable[[Path], bool] = lambda _: False) -> Iterator[Entry]:
    """Yield what lies below the folder ``source``, placed below ``under``, with the same mode for every file.

    Symbolic links are followed: the stream holds what they lead to. Raises BuildError where something is
    neither a file nor a folder.
    """
    yield folder(under)
    for child in sorted(source.iterdir()):
        path = f"{under}/{child.name}"
        if skip(child):
            continue
        if child.is_dir():
            yield from tree(child, path, skip=skip)
        elif child.is_file():
            yield Entry(path=path, source=child)
        else:
            raise BuildError(
                f"neither a file nor a folder: '{child}'", hint="remove it from the model folder"
            )


def with_parents(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries sorted by path, each below folders that are entries too."""
    by_path = {entry.path: entry for entry in entries}
    for path in tuple(by_path):
        for parent in Path(path).parents:
            if parent.name:
                by_path.setdefault(str(parent), folder(str(parent)))
    return [by_path[path] for path in sorted(by_path, key=lambda path: path.split("/"))]


def tar_stream(entries: Iterable[Entry], *, mtime: int = 0) -> Iterator[bytes]:
    """Yield a tar archive of ``entries`` in their order, owned by root, in chunks of at most 256 KiB.

    Raises BuildError where a file cannot be read, or changes while it is.
    """
    written = 0
    for entry in entries:
        try:
            for chunk in filter(None, _member(entry, mtime)):  # an empty chunk ends an HTTP request's body
                written += len(chunk)
                yield chunk
        except OSError as error:
            raise BuildError(f"cannot read '{entry.source}': {error.strerror}") from error
    yield b"\0" * (2 * tarfile.BLOCKSIZE + -(written + 2 * tarfile.BLOCKSIZE) % tarfile.RECORDSIZE)


def _member(entry: Entry, mtime: int) -> Iterator[bytes]:
    header = tarfile.TarInfo(entry.path)
    header.mode = entry.mode
    header.mtime = mtime
    if entry.directory:
        header.type = tarfile.DIRTYPE
    elif entry.link is not None:
        header.type = tarfile.SYMTYPE
        header.linkname = entry.link
    else:
        header.size = entry.size
    yield header.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    yield from _content(entry, header.size)
    yield b"\0" * (-header.size % tarfile.BLOCKSIZE)


def _content(entry: Entry, size: int) -> Iterator[bytes]:
    if entry.source is None:
        yield from entry.chunks() if entry.chunks else (entry.content,)
        return
    left = size
    with entry.source.open("rb", buffering=0) as file:
        while chunk := file.read(min(CHUNK, left)):
            left -= len(chunk)
            yield chunk
        if left or file.read(1):
            raise BuildError(f"the file changed while it was read: '{entry.source}'", hint="build again")


class StreamFile(io.RawIOBase):
    """An iterator of chunks as a file to read from."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = filter(None, chunks)
        self._rest = b""

    def readable(self) -> bool:
        """Tell what ``io`` asks."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill as much of ``buffer`` as the present chunk gives; 0 is the end."""
        self._rest = self._rest or next(self._chunks, b"")
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
