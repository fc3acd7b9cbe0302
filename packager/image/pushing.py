"""Images into registries with no engine: nothing is sent twice, and what arrived is read back."""

from __future__ import annotations

from packager.errors import UsageError
from packager.image.blobs import Blob
from packager.image.image import PackedImage
from packager.image.registry import Repository
from packager.progress import Report, detail, say, silent
from packager.values import ImageReference, PushedImage


def push_image(
    packed: PackedImage,
    reference: ImageReference,
    *,
    base: ImageReference | None = None,
    report: Report = silent,
) -> PushedImage:
    """Push ``packed`` as ``reference``; return it by the digest that the registry itself tells.

    Layers that the registry has in the repository of ``base`` are taken over from there. Raises a
    RegistryError; a tag is set only when everything below it is there.
    """
    if reference.digest:
        raise UsageError(
            f"a digest cannot be pushed, only a tag: {str(reference)!r}",
            hint=f"packager push {reference.repository}:{reference.tag_or_latest}",
        )
    push = _Push(packed, Repository(reference, report), Repository(base) if base else None, report)
    for layer in packed.image.layers:
        push.bring(layer.blob)
    push.bring(packed.image.config_blob)
    push.repository.put_manifest(reference.tag_or_latest, packed.manifest)
    detail(report, f"sent {push.sent} bytes of {push.total}; the rest was there")
    return PushedImage(reference=reference, digest=packed.digest, size=packed.image.size)


class _Push:
    """One push: where to, and how far it is."""

    def __init__(
        self, packed: PackedImage, repository: Repository, base: Repository | None, report: Report
    ) -> None:
        self.repository = repository
        self.total = packed.image.size + packed.image.config_blob.size
        self.sent = 0
        self._done = 0
        self._blobs = packed.blobs
        self._report = report
        same_registry = base is not None and base.registry == repository.registry
        self._mountable = base.path if base and same_registry and base.path != repository.path else None

    def bring(self, blob: Blob) -> None:
        """See that the repository has the blob."""
        if self.repository.has(blob):
            detail(self._report, f"{blob.digest}: there already")
        elif self._mountable and self.repository.mount(blob, self._mountable):
            detail(self._report, f"{blob.digest}: taken over from {self._mountable}")
        else:
            self.repository.upload(blob, self._blobs, self._tell)
            self.sent += blob.size
        self._done += blob.size
        self._tell(0)

    def _tell(self, of_this_blob: int) -> None:
        say(self._report, "pushing", done=self._done + of_this_blob, total=self.total)
