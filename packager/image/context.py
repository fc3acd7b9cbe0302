"""What goes into an image besides its base: the model's files, and for an engine ``Dockerfile.serving``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from packager.errors import BuildError, ImageNotFoundError, UsageError
from packager.image.settings import MODEL_BASE_PATH
from packager.image.tarball import Entry, tar_stream, tree, with_parents
from packager.values import ServableVersion

_DOCKERFILE = "Dockerfile.serving"


def checked_servables(servables: Sequence[ServableVersion]) -> tuple[ServableVersion, ...]:
    """Return the versions in ascending order; all must be of one model, each once, each a SavedModel."""
    if not servables:
        raise UsageError("no model version to build an image of", hint="packager build models/NAME --tag REF")
    names = {servable.name for servable in servables}
    if len(names) > 1:
        raise UsageError(f"one image serves one model, and these are {', '.join(sorted(names))}")
    ordered = tuple(sorted(servables, key=lambda servable: servable.version))
    if len({servable.version for servable in ordered}) < len(ordered):
        raise UsageError(f"the same version of {ordered[0].name!r} is named twice")
    for servable in ordered:
        if not (servable.path / "saved_model.pb").is_file():
            raise ImageNotFoundError(
                f"no SavedModel in '{servable.path}'", hint=f"packager convert FILE --name {servable.name}"
            )
    return ordered


def model_entries(servables: Sequence[ServableVersion]) -> list[Entry]:
    """Return the model's files, at the paths that they have in the image."""
    root = MODEL_BASE_PATH.lstrip("/")
    try:
        return with_parents(
            entry
            for servable in servables
            for entry in tree(servable.path, f"{root}/{servable.name}/{servable.version}")
        )
    except OSError as error:
        raise BuildError(f"cannot read '{error.filename}': {error.strerror}") from error


def build_context(servables: Sequence[ServableVersion]) -> Iterator[bytes]:
    """Return the build context of ``Dockerfile.serving``, as a tar stream."""
    return tar_stream([Entry(path="Dockerfile", content=dockerfile()), *model_entries(servables)])


def dockerfile() -> bytes:
    """Return ``Dockerfile.serving``: beside this module when installed, at the top of a checkout."""
    here = Path(__file__).resolve()
    installed = here.with_name(_DOCKERFILE)
    return (installed if installed.is_file() else here.parents[2] / _DOCKERFILE).read_bytes()
