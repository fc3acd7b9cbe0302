"""One build: the content and names of an image, on its way into an engine, a layout and registries."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packager.errors import RegistryUnreachableError
from packager.image.archive import docker_archive
from packager.image.bases import EngineBase, LayeredBase, LayeredBases, layered
from packager.image.blobs import BlobStore
from packager.image.cache import Cache
from packager.image.compression import compressed
from packager.image.configuration import Content
from packager.image.description import ModelLayers, model_layers
from packager.image.image import PackedImage
from packager.image.labelling import BASE_DIGEST, BASE_NAME, annotations_of
from packager.image.layout import write_layout
from packager.image.placing import copy_from_engine, place_in_engine, write_tarball
from packager.image.pushing import push_from_engine, push_image, together
from packager.image.transport import InterruptedTransferError
from packager.progress import Report, detail, info
from packager.values import BuiltImage, ImageReference, PushedImage, RegistryAccess

if TYPE_CHECKING:
    from packager.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where an image is to go, besides an engine."""

    layout: Path | None
    tarball: Path | None
    publish: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to build."""

    content: Content
    references: tuple[ImageReference, ...]
    labels: Mapping[str, str]
    access: RegistryAccess
    compression: str
    attest: bool
    cache: Cache
    report: Report

    def with_engine(self, engine: Engine, base: EngineBase, places: Places) -> BuiltImage:
        """Bring the image into the engine, and to wherever else it is to go."""
        model = self.model_upon(base)
        labels = self.labels_on(base)
        image = place_in_engine(engine, base, model, self.references[0], labels=labels, report=self.report)
        for reference in self.references[1:]:
            engine.tag(image.id, reference)
        digest, pushed = None, None
        if places.tarball:
            write_tarball(places.tarball, engine.save(str(self.references[0])), report=self.report)
        if places.layout or places.publish:
            with self._parts(model, base, image.id) as parts:
                if places.layout and parts:
                    write_layout(places.layout, parts, self.references[0], report=self.report)
                    digest = parts.digest
                elif places.layout:
                    digest = copy_from_engine(
                        *(engine, image.id, places.layout, self.references[0], annotations_of(labels)),
                        report=self.report,
                    )
                if places.publish:
                    pushed = self._publish(engine, parts, base)
        digest = pushed.digest if pushed else digest
        return self._built(base, places, image.id, digest, pushed, image.platform, image.size, in_engine=True)

    def without_engine(self, base: LayeredBase, places: Places) -> BuiltImage:
        """Make the image from its parts, wherever it is to go."""
        model = self.model_upon(base)
        pushed = None
        with self._packed(model, base) as packed:
            if places.layout:
                write_layout(places.layout, packed, self.references[0], report=self.report)
            if places.tarball:
                archive = docker_archive(packed.image, packed.blobs, *self.references)
                write_tarball(places.tarball, archive, report=self.report)
            if places.publish:
                pushed = self._push_parts(packed, base.reference if base.digest else None)
        image = packed.image
        return self._built(
            base, places, image.id, packed.digest, pushed, image.platform, image.size, in_engine=False
        )

    def publish_from_engine(self, engine: Engine, base: EngineBase, image_id: str) -> PushedImage:
        """Push an image that the engine holds under this job's names."""
        with self._parts(self.model_upon(base), base, image_id) as parts:
            return self._publish(engine, parts, base)

    def model_upon(self, base: EngineBase | LayeredBase) -> ModelLayers:
        """Read the models, for the base that was chosen."""
        detail(self.report, f"base: {base.resolved}")
        return model_layers(self.content, self.report)

    def labels_on(self, base: EngineBase | LayeredBase) -> dict[str, str]:
        """Return the labels that the image has on that base."""
        pinned = {BASE_DIGEST: base.digest} if base.digest else {}
        return {BASE_NAME: str(base.reference), **pinned, **self.labels}

    def layered_bases(self) -> LayeredBases:
        """Return where bases come from without an engine."""
        return LayeredBases(cache=self.cache, report=self.report, access=self.access)

    @contextmanager
    def _packed(self, model: ModelLayers, base: LayeredBase) -> Iterator[PackedImage]:
        """Give the image with its layers compressed as they are to be stored."""
        labels = self.labels_on(base)
        with tempfile.TemporaryDirectory(dir=self.cache.folder, prefix=".packing-") as work:
            layers = compressed(model, self.compression, BlobStore(Path(work)), self.report)
            yield layers.packed(base.image, base.blobs, labels, annotations_of(labels))

    @contextmanager
    def _parts(self, model: ModelLayers, base: EngineBase, image_id: str) -> Iterator[PackedImage | None]:
        """Give an engine's image as parts; ``None`` where they are not to be had, or give another image.

        So that it has the same digest in a layout or a registry as it would have without an engine.
        """
        found = layered(base, self.layered_bases())
        if found is None:
            detail(self.report, "nobody but the engine has the base: the engine gives the image away")
            yield None
            return
        with self._packed(model, found) as packed:
            if packed.image.id != image_id:
                detail(self.report, "the engine made another image of these parts: the engine gives it away")
            yield packed if packed.image.id == image_id else None

    def _publish(self, engine: Engine, parts: PackedImage | None, base: EngineBase) -> PushedImage:
        if parts is not None:
            try:
                return self._push_parts(parts, base.reference if base.digest else None)
            except InterruptedTransferError:
                raise
            except RegistryUnreachableError as error:
                info(self.report, f"{error}: leaving the push to the engine")
        return push_from_engine(
            engine, self.references, attest=self.attest, access=self.access, report=self.report
        )

    def _push_parts(self, packed: PackedImage, origin: ImageReference | None) -> PushedImage:
        return together(
            [
                push_image(
                    packed,
                    reference,
                    base=origin,
                    attested=self.attest,
                    access=self.access,
                    report=self.report,
                )
                for reference in self.references
            ]
        )

    def _built(
        self,
        base: EngineBase | LayeredBase,
        places: Places,
        image_id: str,
        digest: str | None,
        pushed: PushedImage | None,
        platform: str,
        size: int,
        *,
        in_engine: bool,
    ) -> BuiltImage:
        first, *also = self.references
        return BuiltImage(
            reference=first,
            also=tuple(also),
            image_id=image_id,
            in_engine=in_engine,
            digest=digest,
            layout=places.layout,
            tarball=places.tarball,
            pushed=pushed,
            base=base.resolved,
            base_kind=base.kind,
            platform=platform,
            model_name=", ".join(self.content.models),
            versions=tuple(servable.version for servable in self.content.servables),
            size=size,
        )
