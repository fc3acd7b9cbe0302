"""The embedded runtime's system and Python out of Debian's own packages, in place of this machine's files.

What is downloaded is what apt trusts here; it is unpacked and not installed, so nobody need be root.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packager.errors import BaseUnavailableError
from packager.image.cache import Cache
from packager.image.embedded.python import NAME
from packager.image.tarball import Entry
from packager.progress import Report, say

_SYSTEM = (
    *(("libc6",), ("libgcc-s1",), ("libstdc++6",), ("zlib1g",), ("libbz2-1.0",), ("liblzma5",)),
    *(("libexpat1",), ("libffi8",), ("libtinfo6",), ("libssl3", "libssl3t64"), ("dash",), ("bash",)),
)
"""Packages by the names that releases of Debian have for them."""

_PYTHON = ((f"{NAME}-minimal",), (f"lib{NAME}-minimal",), (f"lib{NAME}-stdlib",))

_NEEDED = ("usr/lib", "lib", "lib64", "bin", "usr/bin", "usr/share/doc")
_DROPPED = re.compile(
    r"usr/lib/python3|(?:usr/)?bin/(?!bash$|dash$)|lib/systemd|usr/share/doc/[^/]+/(?!copyright$)|.*/gconv/"
)
_VERSION = re.compile(r"^'[^']+' (?P<file>(?P<name>[^_]+)_(?P<version>[^_]+)_[^_]+\.deb) ", re.MULTILINE)
_CANDIDATE = re.compile(r"^(?P<name>\S+):\n  Installed: .*\n  Candidate: (?!\(none\))", re.MULTILINE)
_HINT = "make it of this machine's own files: --base embedded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """Debian packages, unpacked into one folder."""

    folder: Path
    packages: tuple[tuple[str, str], ...]
    """Names and versions."""

    @property
    def interpreter(self) -> Path:
        """Python itself."""
        return self.folder / "usr" / "bin" / NAME

    @property
    def standard_library(self) -> Path:
        """Python's own modules."""
        return self.folder / "usr" / "lib" / NAME

    def system(self) -> Iterator[Entry]:
        """Yield shells, libraries and the copyright of all packages; Python's files lie elsewhere."""
        for top in _NEEDED:
            for path in sorted((self.folder / top).rglob("*")):
                place = path.relative_to(self.folder).as_posix()
                if _DROPPED.match(place) or (path.is_dir() and not path.is_symlink()):
                    continue
                if path.is_symlink():
                    yield Entry(path=place, link=str(path.readlink()))
                else:
                    yield Entry(path=place, source=path, mode=0o755 if path.stat().st_mode & 0o111 else 0o644)
        yield Entry(path="bin/sh", link="dash")


def unpacked(cache: Cache, report: Report) -> Unpacked:
    """Return the packages that apt offers here, downloaded and unpacked once; raise BaseUnavailableError."""
    names = _offered()
    listing = _run("apt-get", "download", "--print-uris", *names)
    offered = tuple(sorted((m["name"], m["version"].replace("%3a", ":")) for m in _VERSION.finditer(listing)))
    folder = cache.folder / "debian" / hashlib.sha256(listing.encode()).hexdigest()[:16]
    if not folder.is_dir():
        say(report, f"downloading {len(names)} Debian packages")
        _unpack(names, folder, cache.folder)
    return Unpacked(folder=folder, packages=offered)


def _unpack(names: Sequence[str], folder: Path, beside: Path) -> None:
    """Download and unpack aside, and move the whole into place."""
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=beside, prefix=".debian-") as work:
        downloads, root = Path(work) / "downloads", Path(work) / "root"
        for made in (downloads, root):
            made.mkdir()
        _run("apt-get", "download", "-q", *names, cwd=downloads)
        for package in sorted(downloads.glob("*.deb")):
            _run("dpkg-deb", "-x", str(package), str(root))
        root.rename(folder)


def _offered() -> list[str]:
    """Return the names that the packages have here; apt takes long to begin, so it is asked once."""
    wanted = (*_SYSTEM, *_PYTHON)
    listing = _run("apt-cache", "policy", *(name for alternatives in wanted for name in alternatives))
    known = {found["name"] for found in _CANDIDATE.finditer(listing)}
    names = []
    for alternatives in wanted:
        if not (offered := [name for name in alternatives if name in known]):
            hint = _HINT if alternatives in _PYTHON else "apt-get update, as root"
            raise BaseUnavailableError(f"apt offers no package {' or '.join(alternatives)} here", hint=hint)
        names.append(offered[0])
    return names


def _run(*command: str, cwd: Path | None = None) -> str:
    if shutil.which(command[0]) is None:
        raise BaseUnavailableError(f"there is no {command[0]} here to get Debian packages with", hint=_HINT)
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BaseUnavailableError(
            f"{' '.join(command[:2])} failed", hint="apt-get update, as root", details=done.stderr[-1000:]
        )
    return done.stdout
