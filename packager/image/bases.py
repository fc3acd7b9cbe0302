"""Where a base comes from: an engine's own images, a registry, or the embedded runtime."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from packager.errors import BaseUnavailableError, DigestMismatchError, RegistryError, UsageError
from packager.image.blobs import Blobs
from packager.image.cache import Cache
from packager.image.embedded import DEBIAN, HOST, embedded_runtime, host_platform, tensorflow_version
from packager.image.image import Image
from packager.image.official import is_older, official_reference
from packager.image.remote import remote_image
from packager.progress import Report, detail, info, warn
from packager.values import AS_DOCKER_DOES, ImageReference, RegistryAccess

if TYPE_CHECKING:
    from packager.engine import Engine, EngineImage

OFFICIAL, EMBEDDED, AUTO, CUSTOM = "official", "embedded", "auto", "custom"

EMBEDDED_HINT = "build on packager's own runtime: --base embedded"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineBase:
    """A base that an engine holds."""

    kind: str
    reference: ImageReference
    digest: str | None
    """Digest of its manifest, where it came from a registry."""
    image: EngineImage
    origin: str = HOST
    """Where an embedded one's parts are from."""

    @property
    def resolved(self) -> str:
        """What cannot come to mean another base: a reference pinned by digest, or the image ID."""
        return str(self.reference.with_digest(self.digest)) if self.digest else self.image.id

    @property
    def build_argument(self) -> str:
        """What ``FROM`` gets: pinned where it can be, else the name, which engines look up at home first."""
        return str(self.reference.with_digest(self.digest) if self.digest else self.reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayeredBase:
    """A base whose layers can be read, so that an image can be made without an engine."""

    kind: str
    reference: ImageReference
    digest: str | None
    image: Image
    blobs: Blobs

    @property
    def resolved(self) -> str:
        """What cannot come to mean another base: pinned by digest, or named after its content."""
        return str(self.reference.with_digest(self.digest) if self.digest else self.reference)


B = TypeVar("B", covariant=True)


class BaseSource(Protocol[B]):
    """Whoever can supply bases. Both methods raise BaseUnavailableError."""

    def named(self, reference: ImageReference, kind: str) -> B:
        """Return the base of that name."""

    def embedded(self, origin: str) -> B:
        """Return packager's own runtime, made of parts from ``host`` or ``debian``."""


def check_base(base: str) -> None:
    """Raise UsageError where ``base`` can be no base, whatever engines and registries have."""
    kind, _, origin = base.partition(":")
    if kind == EMBEDDED and origin not in ("", HOST, DEBIAN):
        raise UsageError(f"invalid base {base!r}", hint="--base embedded, or embedded:debian")
    if kind not in (OFFICIAL, AUTO, EMBEDDED):
        ImageReference.parse(base)


def choose_base(base: str, tensorflow: str | None, source: BaseSource[B], report: Report) -> B:
    """Return the base that ``base`` asks for: official, embedded, auto, or an image reference.

    ``tensorflow`` is the version that exported the model, where that is known.
    """
    check_base(base)
    kind, _, origin = base.partition(":")
    if kind == EMBEDDED:
        return _embedded(source, tensorflow, report, origin or HOST)
    if base not in (OFFICIAL, AUTO):
        return source.named(ImageReference.parse(base), CUSTOM)
    try:
        return source.named(official_reference(tensorflow, report), OFFICIAL)
    except BaseUnavailableError as error:
        if base == OFFICIAL:
            raise
        info(report, f"{error}; building on packager's own runtime instead")
        return _embedded(source, tensorflow, report, HOST)


def _embedded(source: BaseSource[B], tensorflow: str | None, report: Report, origin: str) -> B:
    own = tensorflow_version()
    if tensorflow and is_older(own, tensorflow):
        warn(
            report,
            f"TensorFlow {tensorflow} exported the model, and packager's own runtime is of the older {own}: "
            "it may lack operations that the model needs",
        )
    return source.embedded(origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineBases:
    """Bases in an engine, pulled where it has them not."""

    engine: Engine
    report: Report

    def named(self, reference: ImageReference, kind: str) -> EngineBase:
        """Return the engine's image of that name, after a pull if need be."""
        image = self.engine.image(str(reference)) or self.engine.pull(reference, report=self.report)
        if image.platform != self.engine.platform:
            raise BaseUnavailableError(
                f"the base image {str(reference)!r} is for {image.platform}, and this engine runs "
                f"{self.engine.platform}",
                hint=EMBEDDED_HINT,
            )
        return EngineBase(kind=kind, reference=reference, digest=_known_digest(image, reference), image=image)

    def embedded(self, origin: str) -> EngineBase:
        """Return the runtime, loaded into the engine."""
        runtime = embedded_runtime(origin=origin, report=self.report)
        image = runtime.ensure_loaded(self.engine, report=self.report)
        return EngineBase(kind=EMBEDDED, reference=runtime.reference, digest=None, image=image, origin=origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayeredBases:
    """Bases as layers in registries and in the cache."""

    cache: Cache
    report: Report
    access: RegistryAccess = AS_DOCKER_DOES

    def named(self, reference: ImageReference, kind: str) -> LayeredBase:
        """Return the registry's image of that name."""
        try:
            found = remote_image(
                reference, host_platform(), self.cache, access=self.access, report=self.report
            )
        except DigestMismatchError:
            raise
        except RegistryError as error:
            raise BaseUnavailableError(
                f"the base image {str(reference)!r} cannot be had: {error}",
                hint=EMBEDDED_HINT,
                details=error.details,
            ) from error
        return LayeredBase(
            kind=kind, reference=reference, digest=found.digest, image=found.image, blobs=found.blobs
        )

    def embedded(self, origin: str) -> LayeredBase:
        """Return the runtime."""
        runtime = embedded_runtime(origin=origin, cache=self.cache, report=self.report)
        return LayeredBase(
            kind=EMBEDDED,
            reference=runtime.reference,
            digest=None,
            image=runtime.image,
            blobs=runtime.blobs,
        )


def layered(base: EngineBase, source: LayeredBases) -> LayeredBase | None:
    """Return an engine's base as layers that can be read without it, ``None`` where nobody else has them."""
    if base.kind == EMBEDDED:
        return source.embedded(base.origin)
    if base.digest is None:
        return None
    try:
        found = source.named(base.reference.with_digest(base.digest), base.kind)
    except BaseUnavailableError as error:
        detail(source.report, str(error))
        return None
    return replace(found, reference=base.reference)


def _known_digest(image: EngineImage, reference: ImageReference) -> str | None:
    """Return the digest under which the engine got the image from the reference's repository."""
    repository = reference.repository.removeprefix("docker.io/").removeprefix("library/")
    for pinned in image.repo_digests:
        name, _, digest = pinned.partition("@")
        if name == repository:
            return digest
    return None
