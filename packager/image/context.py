"""What goes into an image besides its base: the model's files, and for an engine ``Dockerfile.serving``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from packager.errors import BuildError, ImageNotFoundError, UsageError
from packager.image.settings import MODEL_BASE_PATH
from packager.image.tarball import Entry, tar_stream, tree, with_parents
from packager.values import ServableVersion

_DOCKERFILE = "Dockerfile.serving"

_WEIGHTS = "/variables/variables.data-"
_WORTH_A_LAYER = 1 << 20


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
    return with_parents(entry for servable in servables for entry in _version_entries(servable))


def layer_entries(servables: Sequence[ServableVersion]) -> Iterator[tuple[str, list[Entry]]]:
    """Yield what each layer holds, with a name for it: big weights of each version apart, then all the rest.

    So a release with a new version, or with another signature or contract, sends only what it changed.
    """
    rest: list[Entry] = []
    for servable in servables:
        weights, others = _divided(_version_entries(servable))
        if sum(entry.size for entry in weights) >= _WORTH_A_LAYER:
            yield f"weights of {servable.name} version {servable.version}", with_parents(weights)
            rest += others
        else:
            rest += [*weights, *others]
    yield "graphs and contracts", with_parents(rest)


def _version_entries(servable: ServableVersion) -> list[Entry]:
    under = f"{MODEL_BASE_PATH.lstrip('/')}/{servable.name}/{servable.version}"
    try:
        return list(tree(servable.path, under))
    except OSError as error:
        raise BuildError(f"cannot read '{error.filename}': {error.strerror}") from error


def _divided(entries: Iterable[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Divide a version's files into its weights and all others."""
    weights: list[Entry] = []
    others: list[Entry] = []
    for entry in entries:
        (weights if _WEIGHTS in entry.path else others).append(entry)
    return weights, others


def build_context(servables: Sequence[ServableVersion]) -> Iterator[bytes]:
    """Return the build context of ``Dockerfile.serving``, as a tar stream."""
    return tar_stream([Entry(path="Dockerfile", content=dockerfile()), *model_entries(servables)])


def dockerfile() -> bytes:
    """Return ``Dockerfile.serving``: beside this module when installed, at the top of a checkout."""
    here = Path(__file__).resolve()
    installed = here.with_name(_DOCKERFILE)
    return (installed if installed.is_file() else here.parents[2] / _DOCKERFILE).read_bytes()
