"""Building the image of a model: one description, into an engine, onto the disk, into a registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packager import labels as label
from packager.contract import read_contract
from packager.engine import Engine
from packager.errors import UsageError
from packager.image.archive import docker_archive
from packager.image.bases import EngineBase, EngineBases, LayeredBase, LayeredBases, choose_base
from packager.image.cache import Cache
from packager.image.context import checked_servables
from packager.image.description import ModelLayers, model_layers
from packager.image.image import Image, PackedImage
from packager.image.layout import write_layout
from packager.image.official import newest_version
from packager.image.placing import copy_from_engine, place_in_engine, write_tarball
from packager.image.pushing import push_image
from packager.progress import Report, detail, silent
from packager.values import BuiltImage, ImageReference, ServableVersion

_OCI = "org.opencontainers.image"


def build_image(
    servables: Sequence[ServableVersion],
    reference: ImageReference,
    *,
    base: str = "official",
    engine: Engine | None,
    layout: Path | None = None,
    tarball: Path | None = None,
    publish: bool = False,
    tensorflow_version: str | None = None,
    labels: Mapping[str, str] | None = None,
    report: Report = silent,
) -> BuiltImage:
    """Build an image that serves ``servables``, versions of one model, and name it ``reference``.

    ``base`` is ``official``, ``embedded``, ``auto``, or the reference of any other image. With an ``engine``
    the image is put there; with a ``layout`` it is written to that folder as an OCI image layout, with a
    ``tarball`` to that file as ``docker load`` reads it; with ``publish`` it is pushed. One of the four is
    needed; the same inputs give the same image ID in all of them. ``tensorflow_version`` is what
    exported the model, for one without a contract.

    Raises UsageError, ImageNotFoundError (no such model), BaseUnavailableError, BuildError, OutputError or
    a RegistryError.
    """
    if reference.digest:
        raise UsageError(
            f"an image cannot be named by its digest before it is built: {str(reference)!r}",
            hint=f"--tag {reference.repository}:{reference.tag_or_latest}",
        )
    if engine is None and layout is None and tarball is None and not publish:
        raise UsageError(
            "without an engine the image needs a place to go",
            hint="name one: --oci-layout DIR, --tarball FILE, or --push",
        )
    job, exporter = _job(servables, reference, tensorflow_version, labels, report)
    places = _Places(layout=layout, tarball=tarball, publish=publish)
    if engine is not None:
        bases = EngineBases(engine=engine, report=report)
        return job.with_engine(engine, choose_base(base, exporter, bases, report), places)
    layered = LayeredBases(cache=Cache.default(), report=report)
    return job.without_engine(choose_base(base, exporter, layered, report), places)


def rebuild_on_paper(
    servables: Sequence[ServableVersion],
    reference: ImageReference,
    *,
    base: str = "official",
    engine: Engine | None,
    tensorflow_version: str | None = None,
    report: Report = silent,
) -> Image:
    """Return the image that ``build_image`` would make of the same inputs, with the model's layers alone.

    Nothing is written. Raises as ``build_image`` does.
    """
    job, exporter = _job(servables, reference, tensorflow_version, None, report)
    found: EngineBase | LayeredBase
    if engine is not None:
        found = choose_base(base, exporter, EngineBases(engine=engine, report=report), report)
    else:
        layered = LayeredBases(cache=Cache.default(), report=report)
        found = choose_base(base, exporter, layered, report)
    return job.model_upon(found).upon(found.image.config, job.labels_on(found))


def _job(
    servables: Sequence[ServableVersion],
    reference: ImageReference,
    tensorflow_version: str | None,
    labels: Mapping[str, str] | None,
    report: Report,
) -> tuple[_Job, str | None]:
    """Return what is to be built, and the version of TensorFlow that its base has to be fit for."""
    ordered = checked_servables(servables)
    exporter = newest_version(map(_exporter, ordered)) or tensorflow_version
    labels = {**_model_labels(ordered, exporter), **(labels or {})}
    return _Job(servables=ordered, reference=reference, labels=labels, report=report), exporter


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where an image is to go, besides an engine."""

    layout: Path | None
    tarball: Path | None
    publish: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What to build."""

    servables: tuple[ServableVersion, ...]
    reference: ImageReference
    labels: Mapping[str, str]
    report: Report

    def with_engine(self, engine: Engine, base: EngineBase, places: _Places) -> BuiltImage:
        """Bring the image into the engine, and from there to wherever else it is to go."""
        model = self.model_upon(base)
        labels = self.labels_on(base)
        image = place_in_engine(
            engine, base, self.servables, model, self.reference, labels=labels, report=self.report
        )
        digest = None
        if places.layout:
            digest = copy_from_engine(
                engine, image.id, places.layout, self.reference, _annotations(labels), report=self.report
            )
        if places.tarball:
            write_tarball(places.tarball, engine.save(str(self.reference)), report=self.report)
        if places.publish:
            digest = engine.push(self.reference, report=self.report).digest
        return self._built(base, places, image.id, digest, image.platform, image.size, in_engine=True)

    def without_engine(self, base: LayeredBase, places: _Places) -> BuiltImage:
        """Make the image from its parts, wherever it is to go."""
        model = self.model_upon(base)
        packed = self._packed(model, base)
        if places.layout:
            write_layout(places.layout, packed, self.reference, report=self.report)
        if places.tarball:
            write_tarball(
                places.tarball, docker_archive(packed.image, packed.blobs, self.reference), report=self.report
            )
        if places.publish:
            origin = base.reference if base.digest else None
            push_image(packed, self.reference, base=origin, report=self.report)
        image = packed.image
        return self._built(base, places, image.id, packed.digest, image.platform, image.size, in_engine=False)

    def model_upon(self, base: EngineBase | LayeredBase) -> ModelLayers:
        """Read the model, for the base that was chosen."""
        detail(self.report, f"base: {base.resolved}")
        return model_layers(self.servables, self.report)

    def _packed(self, model: ModelLayers, base: LayeredBase) -> PackedImage:
        labels = self.labels_on(base)
        return model.packed(base.image, base.blobs, labels, _annotations(labels))

    def labels_on(self, base: EngineBase | LayeredBase) -> dict[str, str]:
        """Return the labels that the image has on that base."""
        pinned = {f"{_OCI}.base.digest": base.digest} if base.digest else {}
        return {f"{_OCI}.base.name": str(base.reference), **pinned, **self.labels}

    def _built(
        self,
        base: EngineBase | LayeredBase,
        places: _Places,
        image_id: str,
        digest: str | None,
        platform: str,
        size: int,
        *,
        in_engine: bool,
    ) -> BuiltImage:
        return BuiltImage(
            reference=self.reference,
            image_id=image_id,
            in_engine=in_engine,
            digest=digest,
            layout=places.layout,
            tarball=places.tarball,
            pushed=places.publish,
            base=base.resolved,
            base_kind=base.kind,
            platform=platform,
            model_name=self.servables[0].name,
            versions=tuple(servable.version for servable in self.servables),
            size=size,
        )


def _exporter(servable: ServableVersion) -> str | None:
    """Return the version of the TensorFlow that exported it, where its contract tells."""
    contract = read_contract(servable.path)
    return contract.tensorflow if contract else None


def _model_labels(servables: tuple[ServableVersion, ...], exporter: str | None) -> dict[str, str]:
    versions = [str(servable.version) for servable in servables]
    made_by = {label.TENSORFLOW: exporter} if exporter else {}
    return {
        label.MODEL: servables[0].name,
        label.VERSIONS: ",".join(versions),
        **made_by,
        f"{_OCI}.title": servables[0].name,
        f"{_OCI}.version": versions[-1],
    }


def _annotations(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that the image specification knows as annotations of a manifest too."""
    return {key: value for key, value in labels.items() if key.startswith(f"{_OCI}.")}
