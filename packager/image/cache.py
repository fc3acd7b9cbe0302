"""The folder where blobs are kept from run to run: layers of bases, whoever made them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packager.errors import OutputError
from packager.image.blobs import BlobStore
from packager.progress import Report, info


def cache_folder() -> Path:
    """Return ``PACKAGER_CACHE``, or the folder by the XDG base directory specification."""
    if named := os.environ.get("PACKAGER_CACHE"):
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "tfserving-packager"


class Cache:
    """The cache folder. Its blobs are never changed, so that it can be removed at any time but in a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.blobs = BlobStore(folder / "blobs" / "sha256")
        except OSError as error:
            raise OutputError(
                f"cannot write the cache '{folder}': {error.strerror}",
                hint="name a folder that you can write: export PACKAGER_CACHE=DIR",
            ) from error

    @classmethod
    def default(cls) -> Cache:
        """Return the cache where this user's is."""
        return cls(cache_folder())

    @contextmanager
    def locked(self, report: Report) -> Iterator[None]:
        """Keep other runs from making the same blobs at the same time."""
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                info(report, f"waiting for another run that fills the cache '{self.folder}'")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield
