"""The shared objects that programs need where nothing is installed, as this machine's loader finds them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from packager.errors import BaseUnavailableError
from packager.image.tarball import Entry

_FOUND = re.compile(r"^\t(?P<name>[^\s/]+) => (?P<path>/\S+) \(0x", re.MULTILINE)
_LOADER = re.compile(r"^\t(?P<path>/\S+) \(0x", re.MULTILINE)

_BY_NAME = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")
"""What glibc before 2.34 opens by name, so that no program lists it."""


def shared_objects(programs: Iterable[Path]) -> Iterator[Entry]:
    """Yield the loader and the libraries that ``programs`` need besides one another.

    The loader lies where programs name it; every library lies beside libc, which is where the loader
    looks without any configuration.
    """
    own = {os.path.realpath(program) for program in programs}
    listing = _ldd(sorted(own))
    found = {match["name"]: Path(match["path"]) for match in _FOUND.finditer(listing)}
    if "libc.so.6" not in found:
        raise BaseUnavailableError(
            "this system's C library is not glibc, which TensorFlow needs",
            hint="name a base image: --base official",
        )
    system = found["libc.so.6"].parent
    found |= {name: system / name for name in _BY_NAME if (system / name).is_file()}
    for match in _LOADER.finditer(listing):
        yield _library(match["path"], Path(match["path"]))
    for name, path in found.items():
        if os.path.realpath(path) not in own:
            yield _library(f"{system}/{name}", path)


def _library(place: str, source: Path) -> Entry:
    return Entry(path=place.lstrip("/"), source=source.resolve(), mode=0o755)


def _ldd(programs: list[str]) -> str:
    """Return what ldd prints. It fails when one of many programs needs no library, and that is fine."""
    try:
        listing = subprocess.run(
            ["ldd", *programs], env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise BaseUnavailableError(
            "there is no ldd here to find the runtime's libraries with", hint="apt-get install libc-bin"
        ) from None
    return listing.stdout
