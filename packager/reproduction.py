"""Making a version again, to see that it is, to the byte, what a file and options give."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packager.contract import FILES, FOLDER, answers_apart
from packager.errors import ImageNotFoundError, ReproductionError
from packager.pipeline import PathLike, convert
from packager.progress import Report, say, silent
from packager.values import AS_THE_SOURCE, ConversionOptions, VerifiedVersion

_BLOCK = 1 << 20
_RECORDED = {f"{FOLDER}/{name}" for name in FILES}
"""The files that hold answers, whose last digits are a processor's."""


def verify_conversion(
    file: PathLike,
    version_folder: PathLike,
    *,
    name: str,
    options: ConversionOptions = AS_THE_SOURCE,
    report: Report = silent,
) -> VerifiedVersion:
    """Convert ``file`` again, and compare every byte with ``version_folder``, which is not touched.

    Answers that were recorded on another processor need only be as close as ``options`` ask. Raises
    ReproductionError, which tells the files that differ, or what ``convert`` raises.
    """
    existing = Path(version_folder)
    if not (existing / "saved_model.pb").is_file():
        raise ImageNotFoundError(
            f"no SavedModel in {os.fspath(existing)!r}", hint="name a version folder: --verify models/NAME/1"
        )
    with tempfile.TemporaryDirectory(prefix="packager-verify-") as work:
        again = convert(file, name=name, output=work, options=options, report=report).servable.path
        say(report, "comparing the files")
        ours, theirs = _files(again), _files(existing)
        differing = {path for path in ours & theirs if not _same(again / path, existing / path)}
        apart = answers_apart(existing, again, options.close) if differing & _RECORDED else None
        if apart is not None:
            differing -= _RECORDED
        problems = [
            *(f"{path}: other bytes" for path in sorted(differing)),
            *(f"{path}: in {os.fspath(existing)} only" for path in sorted(theirs - ours)),
            *(f"{path}: missing in {os.fspath(existing)}" for path in sorted(ours - theirs)),
        ]
    if problems:
        raise ReproductionError(
            f"{os.fspath(existing)!r} is not what {os.fspath(file)!r} gives: {len(problems)} of "
            f"{len(ours | theirs)} files differ",
            hint="give the options, and use the TensorFlow, that it was made with: see its contract.json",
            details="\n".join(problems),
        )
    same = ours if apart is None else ours - _RECORDED
    size = sum((existing / path).stat().st_size for path in same)
    return VerifiedVersion(path=existing, files=len(same), size=size, answers_apart=apart)


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _same(first: Path, second: Path) -> bool:
    if first.stat().st_size != second.stat().st_size:
        return False
    return all(a == b for a, b in zip(_blocks(first), _blocks(second), strict=True))


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
