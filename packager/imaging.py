"""Images as verbs: built, verified and pushed, from plain arguments; see ``packager.pipeline``."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packager.errors import EngineUnavailableError, ImageNotFoundError, ProvenanceError, UsageError
from packager.progress import Report, silent
from packager.values import (
    AS_DOCKER_DOES,
    SERVER_DEFAULTS,
    BasePart,
    BuiltImage,
    EmbeddedBase,
    ImageReference,
    Origin,
    PushedImage,
    RegistryAccess,
    ServableVersion,
    ServingOptions,
    VerifiedImage,
    check_model_name,
)

if TYPE_CHECKING:
    from packager.engine import Engine

PathLike = str | os.PathLike[str]


def build(
    model: PathLike | Mapping[str, PathLike],
    *,
    tag: str | Sequence[str],
    base: str = "official",
    versions: Sequence[int] = (),
    serving: ServingOptions = SERVER_DEFAULTS,
    engine: str = "auto",
    oci_layout: PathLike | None = None,
    tarball: PathLike | None = None,
    push: bool = False,
    attest: bool = True,
    sign: str | None = None,
    compression: str = "none",
    access: RegistryAccess = AS_DOCKER_DOES,
    report: Report = silent,
) -> BuiltImage:
    """Build an image that serves the model folder ``model`` (all its versions, or ``versions``).

    Several models are a mapping of names to folders. ``serving`` are settings of the server, ``tag`` one name
    of the image or more. ``engine`` is ``docker``, ``none`` or ``auto``: docker where it answers. Besides, or
    instead, the image goes to the folder ``oci_layout``, to the file ``tarball`` (for ``docker load``), and
    with ``push`` to its registries, straight from its parts: its SBOM and provenance beside it unless
    ``attest`` is false, and signed by cosign with the key ``sign``. ``compression`` (none, gzip, zstd) is
    that of the model's layers in registries and layouts. Raises an EngineError or a RegistryError.
    """
    from packager.auditing import check_servables
    from packager.image import build_image, check_base, check_compression, checkout_of

    reference, *also = parse_references(tag)
    servables = _all_servables(model, versions)
    check_base(base)
    check_servables(servables, base, report)
    with chosen_engine(engine) as container_engine, _signing(sign) as signed:
        image = build_image(
            servables,
            reference,
            also=also,
            serving=serving,
            base=base,
            engine=container_engine,
            layout=None if oci_layout is None else Path(oci_layout),
            tarball=None if tarball is None else Path(tarball),
            publish=push,
            attest=attest,
            compression=check_compression(compression),
            access=access,
            checkout=checkout_of(servables[0].path),
            report=report,
        )
        signed(image.pushed)
        return image


def base(*, origin: str = "host", engine: str = "none", report: Report = silent) -> EmbeddedBase:
    """Make the embedded base, or find it made, and tell what its bytes are spent on.

    ``origin`` is where system and Python come from: this machine (``host``), or packages (``debian``). With
    ``engine`` (docker or auto) it is loaded there. Raises BaseUnavailableError.
    """
    from packager import labels
    from packager.image import embedded_runtime

    if origin not in ("host", "debian"):
        raise UsageError(f"invalid --from {origin!r}", hint="--from host, or --from debian")
    runtime = embedded_runtime(origin=origin, report=report)
    with chosen_engine(engine) as container_engine:
        if container_engine is not None:
            runtime.ensure_loaded(container_engine, report=report)
    told = runtime.image.config["config"]["Labels"]
    return EmbeddedBase(
        reference=runtime.reference,
        image_id=runtime.image.id,
        platform=runtime.image.platform,
        tensorflow=runtime.tensorflow,
        parts=tuple(BasePart(name=name, size=size) for name, size in runtime.sizes),
        size=runtime.image.size,
        packages=tuple(told[labels.PACKAGES].split()),
        in_engine=container_engine is not None,
    )


def verify_build(
    model: PathLike | Mapping[str, PathLike],
    reference: str,
    *,
    base: str = "official",
    versions: Sequence[int] = (),
    serving: ServingOptions = SERVER_DEFAULTS,
    engine: str = "auto",
    access: RegistryAccess = AS_DOCKER_DOES,
    report: Report = silent,
) -> VerifiedImage:
    """See that the image ``reference`` is, to the byte, what ``build`` would make; nothing is built.

    It is looked for in the engine, then in its registry. Raises DigestMismatchError, which tells what
    differs.
    """
    from packager.image import rebuild_on_paper, verify_image

    parsed = ImageReference.parse(reference)
    servables = _all_servables(model, versions)
    with chosen_engine(engine) as container_engine:
        image = rebuild_on_paper(
            servables,
            parsed,
            serving=serving,
            base=base,
            engine=container_engine,
            access=access,
            report=report,
        )
        verify_image(image, parsed, engine=container_engine, access=access.about([parsed]), report=report)
    return VerifiedImage(reference=parsed, image_id=image.id)


def verify(
    reference: str,
    *,
    key: str | None = None,
    access: RegistryAccess = AS_DOCKER_DOES,
    report: Report = silent,
) -> Origin:
    """See that an image in a registry is whole, and that what is attached to it tells of this very image.

    ``key`` is what its signature is checked with, by cosign. Raises ProvenanceError, whose details tell what
    is missing or does not fit.
    """
    from packager.image import check_origin

    parsed = ImageReference.parse(reference)
    digest, checks = check_origin(parsed, key=key, access=access.about([parsed]), report=report)
    failed = [check for check in checks if not check.ok]
    if failed:
        raise ProvenanceError(
            f"the origin of {str(parsed)!r} ({digest}) is not proven: {', '.join(c.name for c in failed)}",
            hint=next((check.fix for check in failed if check.fix), None),
            details="\n".join(f"{check.name}: {check.found}" for check in checks),
        )
    return Origin(reference=parsed, digest=digest, checks=checks)


def push(
    reference: str | Sequence[str],
    *,
    source: PathLike | None = None,
    attest: bool = True,
    sign: str | None = None,
    access: RegistryAccess = AS_DOCKER_DOES,
    report: Report = silent,
) -> PushedImage:
    """Push an image and return it by the digest that the registry reports. Raises a RegistryError.

    The image is the engine's of that name, or with ``source`` the one in that OCI layout, for which no
    engine is needed. Of several names the first is the image's; it is pushed under the others as well.
    """
    from packager.image import push_from_engine, push_layout

    names = parse_references(reference)
    access = access.about(names)
    with _signing(sign) as signed:
        if source is not None:
            pushed = push_layout(Path(source), names, attest=attest, access=access, report=report)
        else:
            with docker_engine("or push an OCI layout, which needs none: --from DIR") as engine:
                pushed = push_from_engine(engine, names, attest=attest, access=access, report=report)
        signed(pushed)
    return pushed


def push_tested(
    image: BuiltImage,
    servable: ServableVersion,
    *,
    base: str,
    attest: bool,
    sign: str | None,
    access: RegistryAccess,
    report: Report,
) -> PushedImage:
    """Push the image that was tested, from the engine or its layout."""
    from packager.image import checkout_of, publish_image, push_layout

    names = (image.reference, *image.also)
    access = access.about(names)
    with _signing(sign) as signed:
        if image.layout is not None and not image.in_engine:
            pushed = push_layout(image.layout, names, attest=attest, access=access, report=report)
        else:
            with docker_engine() as engine:
                pushed = publish_image(
                    [servable],
                    image,
                    base=base,
                    engine=engine,
                    attest=attest,
                    access=access,
                    checkout=checkout_of(servable.path),
                    report=report,
                )
        signed(pushed)
    return pushed


@contextlib.contextmanager
def _signing(key: str | None) -> Iterator[Callable[[PushedImage | None], None]]:
    """Give what signs a pushed image with ``key``; fail at once where that could not be done."""
    from packager.image import check_cosign, sign

    if key is not None:
        check_cosign()
    yield lambda pushed: sign(pushed, key) if pushed is not None and key is not None else None


def parse_references(tag: str | Sequence[str]) -> tuple[ImageReference, ...]:
    """Parse one name of an image or more, each once."""
    texts = [tag] if isinstance(tag, str) else tag
    if not texts:
        raise UsageError("the image needs a name", hint="--tag registry.example.com/digits:1")
    return tuple(dict.fromkeys(ImageReference.parse(text) for text in texts))


def _all_servables(
    model: PathLike | Mapping[str, PathLike], versions: Sequence[int]
) -> tuple[ServableVersion, ...]:
    """Return the versions of a model folder, or of several by the names that they are to have."""
    if not isinstance(model, Mapping):
        return servables_in(Path(model), versions)
    if versions and len(model) > 1:
        raise UsageError(
            "a version cannot be chosen of several models", hint="make a folder with the versions wanted"
        )
    return tuple(
        dataclasses.replace(servable, name=check_model_name(name))
        for name, folder in model.items()
        for servable in servables_in(Path(folder), versions)
    )


def servables_in(model: Path, versions: Sequence[int]) -> tuple[ServableVersion, ...]:
    """Return the versions of a model folder, all or those named; raise ImageNotFoundError for want of one."""
    from packager.savedmodel import version_folders

    found = version_folders(model)
    if not found:
        raise ImageNotFoundError(
            f"no model versions in {os.fspath(model)!r}",
            hint="a model folder has a sub folder per version: packager convert FILE --name NAME",
        )
    if missing := set(versions) - set(found):
        raise ImageNotFoundError(
            f"no version {', '.join(map(str, sorted(missing)))} in {os.fspath(model)!r}",
            hint=f"it has: {', '.join(map(str, found))}",
        )
    name = check_model_name(model.resolve().name)
    return tuple(
        ServableVersion(name=name, version=version, path=path)
        for version, path in found.items()
        if not versions or version in versions
    )


@contextlib.contextmanager
def docker_engine(otherwise: str | None = None) -> Iterator[Engine]:
    """Connect to the container engine, or raise EngineUnavailableError, whose hint ends in ``otherwise``."""
    from packager.engine import connect

    with contextlib.closing(connect(otherwise=otherwise) if otherwise else connect()) as engine:
        yield engine


@contextlib.contextmanager
def chosen_engine(choice: str) -> Iterator[Engine | None]:
    """Connect to the engine that ``choice`` names: ``docker``, ``none``, or ``auto``."""
    if choice not in ("docker", "none", "auto"):
        raise UsageError(f"invalid engine {choice!r}", hint="--engine docker, none or auto")
    with contextlib.ExitStack() as stack:
        engine = None
        if choice != "none":
            try:
                engine = stack.enter_context(docker_engine())
            except EngineUnavailableError:
                if choice == "docker":
                    raise
        yield engine
