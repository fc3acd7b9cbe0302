"""Building the image of a model: one description, into an engine, onto the disk, into registries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packager.errors import UsageError
from packager.image.bases import EngineBase, EngineBases, LayeredBase, choose_base
from packager.image.cache import Cache
from packager.image.checkout import Checkout
from packager.image.compression import NONE
from packager.image.configuration import checked_content
from packager.image.image import Image
from packager.image.job import Job, Places
from packager.image.labelling import exporter, model_labels
from packager.progress import Report, silent
from packager.values import (
    AS_DOCKER_DOES,
    SERVER_DEFAULTS,
    BuiltImage,
    ImageReference,
    PushedImage,
    RegistryAccess,
    ServableVersion,
    ServingOptions,
)

if TYPE_CHECKING:
    from packager.engine import Engine


def build_image(
    servables: Sequence[ServableVersion],
    reference: ImageReference,
    *,
    also: Sequence[ImageReference] = (),
    serving: ServingOptions = SERVER_DEFAULTS,
    base: str = "official",
    engine: Engine | None,
    layout: Path | None = None,
    tarball: Path | None = None,
    publish: bool = False,
    attest: bool = False,
    compression: str = NONE,
    access: RegistryAccess = AS_DOCKER_DOES,
    tensorflow_version: str | None = None,
    labels: Mapping[str, str] | None = None,
    checkout: Checkout | None = None,
    report: Report = silent,
) -> BuiltImage:
    """Build an image that serves ``servables``, and name it ``reference`` and ``also``.

    ``base`` is ``official``, ``embedded``, ``auto``, or the reference of any other image. With an ``engine``
    the image is put there; with a ``layout`` it is written to that folder as an OCI image layout, with a
    ``tarball`` to that file as ``docker load`` reads it; with ``publish`` it is pushed, and with ``attest``
    its SBOM and provenance beside it. One of the four is needed; the same inputs give the same image ID in
    all of them, and the same digest in a layout and a registry. ``compression`` is that of the model's layers
    there. ``tensorflow_version`` is what exported the model, for one without a contract.

    Raises UsageError, ImageNotFoundError (no such model), BaseUnavailableError, BuildError, OutputError or
    a RegistryError.
    """
    for name in (reference, *also):
        if name.digest:
            raise UsageError(
                f"an image cannot be named by its digest before it is built: {str(name)!r}",
                hint=f"--tag {name.repository}:{name.tag_or_latest}",
            )
    if engine is None and layout is None and tarball is None and not publish:
        raise UsageError(
            "without an engine the image needs a place to go",
            hint="name one: --oci-layout DIR, --tarball FILE, or --push",
        )
    places = Places(layout=layout, tarball=tarball, publish=publish)
    job, tensorflow = _job(
        servables,
        (reference, *also),
        serving=serving,
        access=access,
        compression=compression,
        attest=attest,
        tensorflow=tensorflow_version,
        labels=labels,
        checkout=checkout,
        report=report,
    )
    if engine is not None:
        bases = EngineBases(engine=engine, report=report)
        return job.with_engine(engine, choose_base(base, tensorflow, bases, report), places)
    return job.without_engine(choose_base(base, tensorflow, job.layered_bases(), report), places)


def publish_image(
    servables: Sequence[ServableVersion],
    built: BuiltImage,
    *,
    base: str = "official",
    engine: Engine,
    attest: bool = False,
    access: RegistryAccess = AS_DOCKER_DOES,
    checkout: Checkout | None = None,
    report: Report = silent,
) -> PushedImage:
    """Push the engine's image ``built``, which was made of ``servables`` on ``base``.

    It goes from its parts where they give this very image, else the engine sends it. Raises a RegistryError.
    """
    job, tensorflow = _job(
        servables,
        (built.reference, *built.also),
        access=access,
        attest=attest,
        checkout=checkout,
        report=report,
    )
    found = choose_base(base, tensorflow, EngineBases(engine=engine, report=report), report)
    return job.publish_from_engine(engine, found, built.image_id)


def rebuild_on_paper(
    servables: Sequence[ServableVersion],
    reference: ImageReference,
    *,
    serving: ServingOptions = SERVER_DEFAULTS,
    base: str = "official",
    engine: Engine | None,
    access: RegistryAccess = AS_DOCKER_DOES,
    tensorflow_version: str | None = None,
    report: Report = silent,
) -> Image:
    """Return the image that ``build_image`` would make of the same inputs, with the model's layers alone.

    Nothing is written. Raises as ``build_image`` does.
    """
    job, tensorflow = _job(
        servables,
        (reference,),
        serving=serving,
        access=access,
        tensorflow=tensorflow_version,
        checkout=None,
        report=report,
    )
    found: EngineBase | LayeredBase
    if engine is not None:
        found = choose_base(base, tensorflow, EngineBases(engine=engine, report=report), report)
    else:
        found = choose_base(base, tensorflow, job.layered_bases(), report)
    return job.model_upon(found).upon(found.image.config, job.labels_on(found))


def _job(
    servables: Sequence[ServableVersion],
    references: tuple[ImageReference, ...],
    *,
    serving: ServingOptions = SERVER_DEFAULTS,
    access: RegistryAccess,
    compression: str = NONE,
    attest: bool = False,
    tensorflow: str | None = None,
    labels: Mapping[str, str] | None = None,
    checkout: Checkout | None,
    report: Report,
) -> tuple[Job, str | None]:
    """Return what is to be built, and the version of TensorFlow that its base has to be fit for."""
    content = checked_content(servables, serving)
    tensorflow = exporter(content.servables) or tensorflow
    job = Job(
        content=content,
        references=references,
        labels={**model_labels(content.servables, tensorflow, checkout), **(labels or {})},
        access=access.about(references),
        compression=compression,
        attest=attest,
        cache=Cache.default(),
        report=report,
    )
    return job, tensorflow
