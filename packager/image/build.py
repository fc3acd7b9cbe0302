"""Building the image of a model, with an engine or without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packager import labels as label
from packager.contract import read_contract
from packager.engine import Engine
from packager.errors import UsageError
from packager.image.archive import read_docker_archive
from packager.image.bases import EngineBase, EngineBases, LayeredBase, LayeredBases, choose_base
from packager.image.cache import Cache
from packager.image.context import build_context, checked_servables, model_entries
from packager.image.image import Layer, source_date, timestamp
from packager.image.layout import new_layout
from packager.image.official import newest_version
from packager.image.settings import serving_settings
from packager.image.tarball import tar_stream
from packager.progress import Report, detail, say, silent
from packager.values import BuiltImage, ImageReference, ServableVersion

_OCI = "org.opencontainers.image"


def build_image(
    servables: Sequence[ServableVersion],
    reference: ImageReference,
    *,
    base: str = "official",
    engine: Engine | None,
    layout: Path | None = None,
    tensorflow_version: str | None = None,
    labels: Mapping[str, str] | None = None,
    report: Report = silent,
) -> BuiltImage:
    """Build an image that serves ``servables``, versions of one model, and name it ``reference``.

    ``base`` is ``official``, ``embedded``, ``auto``, or the reference of any other image. With an ``engine``
    the image is built there; with a ``layout`` it is written to that folder as an OCI image layout; one
    of the two is needed. ``tensorflow_version`` is what exported the model, for one without a contract.

    Raises UsageError, ImageNotFoundError (no such model), BaseUnavailableError, BuildError or OutputError.
    """
    if reference.digest:
        raise UsageError(
            f"an image cannot be named by its digest before it is built: {str(reference)!r}",
            hint=f"--tag {reference.repository}:{reference.tag_or_latest}",
        )
    ordered = checked_servables(servables)
    exporter = newest_version(map(_exporter, ordered)) or tensorflow_version
    job = _Job(
        servables=ordered,
        reference=reference,
        labels={**_model_labels(ordered, exporter), **(labels or {})},
        report=report,
    )
    if engine is not None:
        bases = EngineBases(engine=engine, report=report)
        return job.in_engine(engine, choose_base(base, exporter, bases, report), layout)
    if layout is not None:
        layered = LayeredBases(cache=Cache.default(), report=report)
        return job.in_layout(choose_base(base, exporter, layered, report), layout)
    raise UsageError("without an engine the image needs a folder", hint="--engine none --oci-layout DIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What to build, by whichever way."""

    servables: tuple[ServableVersion, ...]
    reference: ImageReference
    labels: Mapping[str, str]
    report: Report

    @property
    def model(self) -> str:
        return self.servables[0].name

    def in_engine(self, engine: Engine, base: EngineBase, layout: Path | None) -> BuiltImage:
        """Build ``Dockerfile.serving`` in the engine; bring the image from there into ``layout`` too."""
        detail(self.report, f"base: {base.resolved}")
        image = engine.build(
            build_context(self.servables),
            tag=self.reference,
            arguments={"BASE": base.build_argument, "SERVING_MODEL": self.model},
            labels=self._labels_on(base),
            report=self.report,
        )
        digest = self._copied(engine, image.id, base, layout) if layout else None
        return self._built(
            base, image_id=image.id, digest=digest, layout=layout, platform=image.platform, size=image.size
        )

    def in_layout(self, base: LayeredBase, layout: Path) -> BuiltImage:
        """Put the model's layer on those of the base, in an image layout."""
        detail(self.report, f"base: {base.resolved}")
        labels = self._labels_on(base)
        with new_layout(layout) as written:
            copied = 0
            for blob in (layer.blob for layer in base.image.layers):
                written.blobs.copy(blob, base.blobs)
                copied += blob.size
                say(self.report, "copying the base's layers", done=copied, total=base.image.size)
            say(self.report, "writing the model's layer")
            layer = written.blobs.add(tar_stream(model_entries(self.servables), mtime=source_date()))
            image = base.image.extended(
                Layer.uncompressed(layer),
                settings=serving_settings(self.model, labels),
                created=timestamp(source_date()),
                comment=f"packager: model {self.model}",
            )
            manifest = written.finish(image, self.reference, _annotations(labels))
        return self._built(
            base,
            image_id=None,
            digest=manifest.digest,
            layout=layout,
            platform=image.platform,
            size=image.size,
        )

    def _copied(self, engine: Engine, image_id: str, base: EngineBase, layout: Path) -> str:
        with new_layout(layout) as written:
            say(self.report, f"copying the image to '{layout}'")
            image = read_docker_archive(engine.save(image_id), written.blobs)
            return written.finish(image, self.reference, _annotations(self._labels_on(base))).digest

    def _labels_on(self, base: EngineBase | LayeredBase) -> dict[str, str]:
        pinned = {f"{_OCI}.base.digest": base.digest} if base.digest else {}
        return {f"{_OCI}.base.name": str(base.reference), **pinned, **self.labels}

    def _built(
        self,
        base: EngineBase | LayeredBase,
        *,
        image_id: str | None,
        digest: str | None,
        layout: Path | None,
        platform: str,
        size: int,
    ) -> BuiltImage:
        return BuiltImage(
            reference=self.reference,
            image_id=image_id,
            digest=digest,
            layout=layout,
            base=base.resolved,
            base_kind=base.kind,
            platform=platform,
            model_name=self.model,
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
