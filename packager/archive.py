"""The ``.keras`` archive: a zip file, whose few members that matter are unpacked under limits.

Nothing is written under a name that the archive chose. What it declares is looked at before anything is
unpacked, and zipfile hands out no byte more than was declared.
"""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packager.errors import ModelFileError, UnsafeFileError

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_VOCABULARY = "vocabulary.txt"
_ASSETS = "assets/"
_SIGNATURE = b"PK\x03\x04"
_LARGEST = {CONFIG: 32 << 20, METADATA: 1 << 20}
_LARGEST_VOCABULARIES = 256 << 20
_MOST_MEMBERS = 10_000
_ANY_RATIO = 64 << 20
"""Bytes up to which a member may be compressed as well as it likes."""
_ANY_SIZE = 1 << 30
"""Bytes up to which a member may be compressed as pruned weights can be, and beyond which as others are."""
_HIGHEST_RATIO, _USUAL_RATIO = 50, 4
"""Keras stores without compression; of trained weights, deflate saves a tenth."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What was unpacked."""

    config: str
    metadata: str
    weights: Path
    vocabularies: dict[str, Path]
    """Files by the group of the weights file that their layer has (``layers/text_vectorization``)."""


def is_archive(path: Path) -> bool:
    """Tell whether ``path`` is a file that begins as a zip archive does."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return file.read(len(_SIGNATURE)) == _SIGNATURE
    except (OSError, ValueError):
        return False  # whoever goes on to read it says why


def read_texts(path: Path) -> tuple[str, str]:
    """Return the architecture and the metadata. Raises ModelFileError or UnsafeFileError."""
    with _opened(path) as archive:
        return _text(archive, CONFIG), _text(archive, METADATA)


def unpack(path: Path, folder: Path) -> Archive:
    """Unpack what matters into ``folder``, which is private and empty.

    Raises ModelFileError, or UnsafeFileError where the archive tries what no Keras does.
    """
    with _opened(path) as archive:
        _copy(archive, WEIGHTS, folder / WEIGHTS)
        vocabularies: dict[str, Path] = {}
        for member in _vocabularies(archive, path):
            file = folder / f"vocabulary-{len(vocabularies)}.txt"
            _copy(archive, member, file)
            vocabularies[member.removeprefix(_ASSETS).rpartition("/")[0]] = file
        return Archive(
            config=_text(archive, CONFIG),
            metadata=_text(archive, METADATA),
            weights=folder / WEIGHTS,
            vocabularies=vocabularies,
        )


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    quoted = repr(os.fspath(path))
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive, path)
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, zlib.error, EOFError) as error:
        raise ModelFileError(
            f"{quoted} is a damaged zip archive: {str(error).lower()}", hint="copy or download it again"
        ) from error
    except (OSError, ValueError, RuntimeError) as error:  # of a full disk, of offsets that make no sense
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelFileError(
            f"cannot unpack {quoted}: {reason.lower()}", hint="copy or download it again"
        ) from error


def _check(archive: zipfile.ZipFile, path: Path) -> None:
    quoted, members = repr(os.fspath(path)), archive.infolist()
    if len(members) > _MOST_MEMBERS:
        raise UnsafeFileError(f"refused {quoted}: {len(members):,} members, which no .keras archive has")
    for member in members:
        _check_name(member, quoted)
    (name, count), *_ = Counter(member.filename for member in members).most_common(1) or [("", 0)]
    if count > 1:
        raise UnsafeFileError(f"refused {quoted}: it has {count} members of the name {_shown(name)}")
    names = {member.filename for member in members}
    if not {CONFIG, WEIGHTS} & names:
        raise ModelFileError(
            f"{quoted} is a zip archive, not an HDF5 file", hint="unpack it first: unzip FILE"
        )
    for name in (CONFIG, METADATA, WEIGHTS):
        if name not in names:
            raise ModelFileError(
                f"{quoted} is a zip archive, and no whole .keras one: it has no {name}",
                hint="save the model again: model.save('model.keras')",
            )
        _check_member(archive.getinfo(name), quoted)


def _check_name(member: zipfile.ZipInfo, quoted: str) -> None:
    name = member.orig_filename
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or any(sign in name for sign in "\\:\0"):
        raise UnsafeFileError(f"refused {quoted}: its member {_shown(name)} would be written outside of it")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise UnsafeFileError(f"refused {quoted}: its member {_shown(name)} is a link")


def _check_member(member: zipfile.ZipInfo, quoted: str) -> None:
    name, size = member.filename, member.file_size
    if size > _LARGEST.get(name, size):
        raise UnsafeFileError(
            f"refused {quoted}: {_shown(name)} is of {size:,} bytes, at most {_LARGEST[name]:,} are read"
        )
    packed = member.compress_size
    if size > max(_ANY_RATIO, min(_ANY_SIZE, _HIGHEST_RATIO * packed), _USUAL_RATIO * packed):
        raise UnsafeFileError(f"refused {quoted}: {_shown(name)} would fill {size:,} bytes from {packed:,}")
    if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
        how = "encrypted" if member.flag_bits & _ENCRYPTED else "compressed in a way that Keras never uses"
        raise ModelFileError(
            f"{quoted}: {_shown(name)} is {how}", hint="save the model again: model.save('model.keras')"
        )


def _vocabularies(archive: zipfile.ZipFile, path: Path) -> list[str]:
    """Return the members that hold vocabularies, as layers that look words up leave them."""
    found = [
        member
        for member in archive.infolist()
        if member.filename.startswith(_ASSETS) and member.filename.endswith(f"/{_VOCABULARY}")
    ]
    for member in found:
        _check_member(member, repr(os.fspath(path)))
    if (total := sum(member.file_size for member in found)) > _LARGEST_VOCABULARIES:
        raise UnsafeFileError(
            f"refused {os.fspath(path)!r}: its vocabularies are of {total:,} bytes, "
            f"at most {_LARGEST_VOCABULARIES:,} are read"
        )
    return [member.filename for member in found]


def _text(archive: zipfile.ZipFile, name: str) -> str:
    return archive.read(name).decode("utf-8")


def _copy(archive: zipfile.ZipFile, name: str, target: Path) -> None:
    with archive.open(name) as source, target.open("xb") as file:
        shutil.copyfileobj(source, file, 1 << 20)


def _shown(name: str) -> str:
    return repr(name if len(name) <= 100 else f"{name[:100]}…")
