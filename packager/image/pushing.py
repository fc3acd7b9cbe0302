"""Images into registries with no engine: nothing is sent twice, and what arrived is read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from packager.errors import RegistryUnreachableError, UsageError
from packager.image.attestations import Subject
from packager.image.blobs import Blob
from packager.image.image import PackedImage
from packager.image.layout import read_layout
from packager.image.referrers import Attachment, attach, send_attachments
from packager.image.registry import Repository
from packager.labels import MODEL
from packager.progress import Report, detail, in_turn, say, silent, warn
from packager.sidebyside import Stop, side_by_side
from packager.values import AS_DOCKER_DOES, ImageReference, PushedImage, RegistryAccess

if TYPE_CHECKING:
    from packager.engine import Engine

_AT_ONCE = 5
"""Transfers of one push, as many as docker begins."""


def push_image(
    packed: PackedImage,
    reference: ImageReference,
    *,
    base: ImageReference | None = None,
    attested: bool = False,
    access: RegistryAccess = AS_DOCKER_DOES,
    report: Report = silent,
) -> PushedImage:
    """Push ``packed`` as ``reference``; return it by the digest that the registry itself tells.

    Layers that the registry has in the repository of ``base`` are taken over from there. Raises a
    RegistryError; a tag is set only when everything below it is there, its SBOM and provenance included
    where it is to be ``attested``.
    """
    if reference.digest:
        raise UsageError(
            f"a digest cannot be pushed, only a tag: {str(reference)!r}",
            hint=f"packager push {reference.repository}:{reference.tag_or_latest}",
        )
    report = in_turn(report)
    origin = Repository(base, access=access) if base else None
    repository = Repository(reference, report, access=access)
    push = _Push(packed, repository, origin, report)
    subject = Subject(repository=reference.repository, digest=packed.digest, config=packed.image.config)
    attachments: list[Attachment] = []

    def send_attached(_: Stop) -> int:
        attachments.extend(send_attachments(repository, subject))
        return 0

    sent = side_by_side([*([send_attached] if attested else []), *push.tasks()], workers=_AT_ONCE)
    if attested:
        attach(repository, packed.manifest, attachments, report)
    repository.put_manifest(reference.tag_or_latest, packed.manifest)
    detail(report, f"sent {sum(sent)} bytes of {push.total}; the rest was there")
    return PushedImage(reference=reference, digest=packed.digest, size=packed.image.size)


def push_layout(
    place: Path,
    references: Sequence[ImageReference],
    *,
    attest: bool,
    access: RegistryAccess,
    report: Report = silent,
) -> PushedImage:
    """Push the image of the layout at ``place`` under all of the names."""
    packed = read_layout(place)
    return together(
        [
            push_image(packed, reference, attested=attest, access=access, report=report)
            for reference in references
        ]
    )


def push_from_engine(
    engine: Engine,
    references: Sequence[ImageReference],
    *,
    attest: bool,
    access: RegistryAccess,
    report: Report = silent,
) -> PushedImage:
    """Let the engine push its image, which bears the first of the names, under all of them."""
    credentials = (access.username, access.password)
    for reference in references[1:]:
        engine.tag(str(references[0]), reference)
    pushed = [engine.push(name, credentials=credentials, report=report) for name in references]
    for image in pushed if attest else ():
        _attest_pushed(image, access=access, report=report)
    return together(pushed)


def _attest_pushed(pushed: PushedImage, *, access: RegistryAccess, report: Report) -> None:
    """Attach to an image that an engine pushed what is attached to those that packager pushes.

    An image that packager has not built tells too little. Where only the engine reaches the registry, that
    is worth a warning, as the image itself is there.
    """
    repository = Repository(pushed.reference, report, access=access)
    try:
        manifest = repository.manifest_document(pushed.digest)
        described = json.loads(manifest)["config"]
        config = json.loads(repository.content(Blob(digest=described["digest"], size=described["size"])))
    except RegistryUnreachableError as error:
        warn(report, f"{pushed.pinned} was pushed without SBOM and provenance: {error}")
        return
    subject = Subject(repository=pushed.reference.repository, digest=pushed.digest, config=config)
    if MODEL in subject.labels:
        attach(repository, manifest, send_attachments(repository, subject), report)


def together(pushed: Sequence[PushedImage]) -> PushedImage:
    """Return one image that was pushed under several names as one value, the first name leading."""
    first, *others = pushed
    return replace(first, also=tuple(others))


class _Push:
    """One push: where to, and how far it is."""

    def __init__(
        self, packed: PackedImage, repository: Repository, base: Repository | None, report: Report
    ) -> None:
        self._repository = repository
        layers = (layer.blob for layer in packed.image.layers)
        self._done = dict.fromkeys((*layers, packed.image.config_blob), 0)
        self.total = sum(blob.size for blob in self._done)
        self._blobs = packed.blobs
        self._report = report
        same_registry = base is not None and base.registry == repository.registry
        self._mountable = base.path if base and same_registry and base.path != repository.path else None

    def tasks(self) -> list[Callable[[Stop], int]]:
        """Return what is to be done, the longest first; each tells how many bytes it sent."""
        return [partial(self._bring, blob) for blob in sorted(self._done, key=lambda blob: -blob.size)]

    def _bring(self, blob: Blob, stop: Stop) -> int:
        """See that the repository has the blob."""

        def tell(done: int) -> None:
            stop.check()
            self._done[blob] = done
            say(self._report, "pushing", done=sum(self._done.values()), total=self.total)

        there = True
        if self._repository.has(blob):
            detail(self._report, f"{blob.digest}: there already")
        elif self._mountable and self._repository.mount(blob, self._mountable):
            detail(self._report, f"{blob.digest}: taken over from {self._mountable}")
        else:
            there = False
            self._repository.upload(blob, self._blobs, tell)
        tell(blob.size)
        return 0 if there else blob.size
