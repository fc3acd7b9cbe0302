"""Blobs by the digest of their content, in a folder: of the cache, or of an image layout."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from packager.errors import DigestMismatchError, OutputError

_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A blob's digest (``sha256:<hex>``) and size."""

    digest: str
    size: int

    @classmethod
    def of(cls, content: bytes) -> Blob:
        """Return the name of ``content``."""
        return cls(digest=f"sha256:{hashlib.sha256(content).hexdigest()}", size=len(content))


class Blobs(Protocol):
    """Where blobs can be read, as often as need be."""

    def chunks(self, blob: Blob) -> Iterator[bytes]:
        """Yield the content of a blob; that it is of its digest is for the receiver to see."""


class GivenBlobs:
    """Small blobs in memory."""

    def __init__(self, *contents: bytes) -> None:
        self._contents = {Blob.of(content).digest: content for content in contents}

    def chunks(self, blob: Blob) -> Iterator[bytes]:
        """Yield the content in one piece."""
        yield self._contents[blob.digest]


class MadeBlobs:
    """Blobs that are made anew whenever they are read, over those of another place."""

    def __init__(self, made: Mapping[str, Callable[[], Iterable[bytes]]], below: Blobs) -> None:
        self._made = made
        self._below = below

    def chunks(self, blob: Blob) -> Iterator[bytes]:
        """Make the blob, or read it where it lies."""
        make = self._made.get(blob.digest)
        yield from make() if make else self._below.chunks(blob)


class BlobStore:
    """A folder whose files are named by the sha256 of their content; each appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Return where the blob is, or would be."""
        return self.folder / digest.removeprefix("sha256:")

    def has(self, blob: Blob) -> bool:
        """Tell whether the blob is here, by its name and size."""
        path = self.path(blob.digest)
        return path.is_file() and path.stat().st_size == blob.size

    def add(self, chunks: Iterable[bytes], *, expected: str | None = None) -> Blob:
        """Write a blob from a stream, and return its name.

        Raises DigestMismatchError, and keeps nothing, where the content is not of the ``expected`` digest.
        """
        digest, size = hashlib.sha256(), 0
        with self._writing(), tempfile.NamedTemporaryFile(dir=self.folder, prefix=".", delete=False) as file:
            try:
                for chunk in chunks:
                    digest.update(chunk)
                    size += file.write(chunk)
                file.close()
                blob = Blob(digest=f"sha256:{digest.hexdigest()}", size=size)
                if expected not in (None, blob.digest):
                    raise DigestMismatchError(f"expected the content {expected}, and got {blob.digest}")
                Path(file.name).chmod(0o644)
                Path(file.name).replace(self.path(blob.digest))
            finally:
                Path(file.name).unlink(missing_ok=True)
        return blob

    def chunks(self, blob: Blob) -> Iterator[bytes]:
        """Yield the content of a blob that is here."""
        with self.path(blob.digest).open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def copy(self, blob: Blob, source: Blobs) -> None:
        """Bring a blob here from another place; kept apart on disk, as users may edit a layout."""
        if not self.has(blob):
            self.add(source.chunks(blob), expected=blob.digest)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"cannot write to '{self.folder}': {error.strerror}", hint=f"df -h '{self.folder}'"
            ) from error
