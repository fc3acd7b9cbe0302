"""Parts made into layers: debug symbols stripped, modules compiled, and each kept until its files change."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from packager.errors import BaseUnavailableError
from packager.image.blobs import Blob
from packager.image.cache import Cache
from packager.image.embedded.parts import Part
from packager.image.image import Layer, document
from packager.image.tarball import Entry, tar_stream, with_parents
from packager.progress import Report, info, say

_RECIPE = 1
"""To be raised whenever the same files would give another layer."""

_WORTH_STRIPPING = 1 << 20
_ELF = b"\x7fELF"

_COMPILE = """
import json, py_compile, sys
unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
for source, target, name in json.load(sys.stdin):
    py_compile.compile(source, target, name, invalidation_mode=unchecked, quiet=2)
"""


def part_layer(part: Part, cache: Cache, report: Report) -> Layer:
    """Return the layer of ``part``, from the cache where its files are as they were."""
    record = cache.folder / "parts" / f"{_fingerprint(part)}.json"
    if record.is_file():
        blob = Blob(**json.loads(record.read_text(encoding="utf-8")))
        if cache.blobs.has(blob):
            return Layer.uncompressed(blob)
    say(report, f"making the runtime's {part.name} layer")
    with tempfile.TemporaryDirectory(dir=cache.folder, prefix=".work-") as work:
        blob = cache.blobs.add(tar_stream(_prepared(part, Path(work), report)))
    record.parent.mkdir(exist_ok=True)
    _write_whole(record, document({"digest": blob.digest, "size": blob.size}))
    return Layer.uncompressed(blob)


def _fingerprint(part: Part) -> str:
    """Return a digest of the part's files, each told by its size and time of change instead of its bytes."""
    entries = [
        (e.path, e.mode, e.link, _stamp(e.source) if e.source else e.content.decode()) for e in part.entries
    ]
    return hashlib.sha256(document([_RECIPE, sys.version, shutil.which("strip"), entries])).hexdigest()


def _stamp(source: Path) -> tuple[str, int, int]:
    status = source.stat()
    return str(source), status.st_size, status.st_mtime_ns


def _prepared(part: Part, work: Path, report: Report) -> list[Entry]:
    entries = [_stripped(entry, work, report) for entry in part.entries]
    return with_parents([*entries, *_compiled(entries, work)])


def _stripped(entry: Entry, work: Path, report: Report) -> Entry:
    """Return the entry without debug symbols, where it is a big binary and binutils are here."""
    if entry.source is None or entry.size < _WORTH_STRIPPING or not _is_elf(entry.source):
        return entry
    stripped = work / hashlib.sha256(entry.path.encode()).hexdigest()
    try:
        subprocess.run(
            ["strip", "-o", str(stripped), str(entry.source)], check=True, capture_output=True, text=True
        )
    except FileNotFoundError:
        info(
            report, f"{entry.source.name} keeps its symbols; smaller with binutils: apt-get install binutils"
        )
        return entry
    except subprocess.CalledProcessError as error:
        raise BaseUnavailableError(f"cannot strip '{entry.source}'", details=error.stderr) from error
    return replace(entry, source=stripped)


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_ELF)) == _ELF


def _compiled(entries: list[Entry], work: Path) -> Iterator[Entry]:
    """Yield the bytecode of the modules among ``entries``, which a read-only image cannot keep by itself.

    Compiled in a process of its own with a fixed hash seed and under the names of the image, so that the
    same module gives the same bytes.
    """
    modules = [entry for entry in entries if entry.source and entry.path.endswith(".py")]
    tasks = [(str(m.source), str(work / f"{i}.pyc"), f"/{m.path}") for i, m in enumerate(modules)]
    subprocess.run(
        [sys.executable, "-S", "-c", _COMPILE],
        input=json.dumps(tasks),
        env={"PYTHONHASHSEED": "0"},
        text=True,
        check=True,
    )
    for module, (_, target, _) in zip(modules, tasks, strict=True):
        if Path(target).is_file():  # some files of the standard library are no modules, and stay sources
            yield Entry(path=importlib.util.cache_from_source(module.path), source=Path(target))


def _write_whole(path: Path, content: bytes) -> None:
    aside = path.with_suffix(".new")
    aside.write_bytes(content)
    aside.replace(path)
