"""What goes into an image besides its base: the model's files, and for an engine ``Dockerfile.serving``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from packager.errors import BuildError
from packager.image.configuration import Content
from packager.image.settings import MODEL_BASE_PATH
from packager.image.tarball import Entry, tar_stream, tree, with_parents
from packager.progress import Progress, Report
from packager.sidebyside import Stop, side_by_side
from packager.values import ServableVersion

_DOCKERFILE = "Dockerfile.serving"

WEIGHTS = ".weights"
"""Folder of the weights below the base path; no model can be called that, and no server looks into it."""

_BASE = MODEL_BASE_PATH.lstrip("/")
_DATA = "/variables/variables.data-"
_WORTH_A_LAYER = 1 << 20
_MOST_LAYERS = 96
"""Of weights: engines take 127 layers in all. The smaller ones share the last layer."""


def model_entries(content: Content) -> list[Entry]:
    """Return the models' files and the server's config files, at the paths that they have in the image."""
    files = [entry for servable in content.servables for entry in _version_entries(servable)]
    return with_parents([*files, *content.entries()])


def layer_entries(content: Content, report: Report) -> Iterator[tuple[str, list[Entry]]]:
    """Yield what each layer holds, with a name for it: each big file of weights apart, then all the rest.

    Weights lie where their own content tells, and the version's folder has a link to them. So a layer of
    weights is the same in every image, and for every version, that has these weights: a release sends only
    the files that it changed, and two versions with the same weights have them once.
    """
    files = [entry for servable in content.servables for entry in _version_entries(servable)]
    weights = sorted(filter(_is_worth_a_layer, files), key=lambda entry: -entry.size)[:_MOST_LAYERS]
    progress = Progress(report, "reading the weights", total=sum(entry.size for entry in weights))
    digests = side_by_side([partial(_content_digest, entry, progress) for entry in weights])
    apart = {entry.path: digest for entry, digest in zip(weights, digests, strict=True)}
    rest = [replace(e, source=None, link=_link(e, apart[e.path])) if e.path in apart else e for e in files]
    sources = {digest: entry for entry in reversed(files) if (digest := apart.get(entry.path))}
    for digest in dict.fromkeys(apart[entry.path] for entry in files if entry.path in apart):
        place = Entry(path=f"{_BASE}/{WEIGHTS}/{digest}", source=sources[digest].source)
        yield f"weights {digest[:12]}", with_parents([place])
    yield "graphs, contracts and settings", with_parents([*rest, *content.entries()])


def _version_entries(servable: ServableVersion) -> list[Entry]:
    under = f"{_BASE}/{servable.name}/{servable.version}"
    try:
        return list(tree(servable.path, under))
    except OSError as error:
        raise BuildError(f"cannot read '{error.filename}': {error.strerror}") from error


def _is_worth_a_layer(entry: Entry) -> bool:
    return not entry.directory and _DATA in entry.path and entry.size >= _WORTH_A_LAYER


def _content_digest(entry: Entry, progress: Progress, stop: Stop) -> str:
    """Return the sha256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    for chunk in entry.content_chunks():
        stop.check()
        digest.update(chunk)
        progress.add(len(chunk))
    return digest.hexdigest()


def _link(entry: Entry, digest: str) -> str:
    return os.path.relpath(f"{_BASE}/{WEIGHTS}/{digest}", Path(entry.path).parent)


def build_context(content: Content) -> Iterator[bytes]:
    """Return the build context of ``Dockerfile.serving``, as a tar stream."""
    return tar_stream([Entry(path="Dockerfile", content=dockerfile()), *model_entries(content)])


def dockerfile() -> bytes:
    """Return ``Dockerfile.serving``: beside this module when installed, at the top of a checkout."""
    here = Path(__file__).resolve()
    installed = here.with_name(_DOCKERFILE)
    return (installed if installed.is_file() else here.parents[2] / _DOCKERFILE).read_bytes()
