"""Which ``tensorflow/serving`` image serves what a given TensorFlow exported."""

from __future__ import annotations

from collections.abc import Iterable

from packager.progress import Report, warn
from packager.values import ImageReference

RELEASES = ("2.17.0", "2.18.0", "2.18.1", "2.19.0", "2.19.1", "2.20.0")
"""Tags of hub.docker.com/r/tensorflow/serving that are known to exist, oldest first."""


def official_reference(tensorflow: str | None, report: Report) -> ImageReference:
    """Return the image for SavedModels of ``tensorflow``, of an unknown version where that is ``None``.

    A SavedModel loads in the same or a later TensorFlow of the same major version, and a patch release
    adds no operation: so it is the newest patch of the exporter's minor version, or of the next minor
    version that was released.
    """
    return ImageReference.parse(f"tensorflow/serving:{_tag(tensorflow, report)}")


def newest_version(versions: Iterable[str | None]) -> str | None:
    """Return the newest of the versions that are known."""
    return max(filter(None, versions), key=_minor, default=None)


def is_older(version: str, than: str) -> bool:
    """Tell whether a runtime of ``version`` may lack operations that ``than`` has."""
    return _minor(version) < _minor(than)


def _tag(tensorflow: str | None, report: Report) -> str:
    newest = RELEASES[-1]
    if tensorflow is None:
        warn(report, f"which TensorFlow exported the model is unknown: taking the newest server, {newest}")
        return newest
    wanted = _minor(tensorflow)
    later = [release for release in RELEASES if _minor(release) >= wanted]
    if not later:
        tag = f"{wanted[0]}.{wanted[1]}.0"
        warn(report, f"no server for TensorFlow {tensorflow} is known yet: trying {tag}")
        return tag
    return [release for release in later if _minor(release) == _minor(later[0])][-1]


def _minor(version: str) -> tuple[int, int]:
    major, minor, *_ = version.split(".")
    return int(major), int(minor)
