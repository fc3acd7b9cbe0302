"""Bringing an image into an engine and out of one, and onto the disk as an archive."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from packager.errors import BuildError, EngineError, EngineFullError, EngineUnavailableError, OutputError
from packager.image.archive import docker_archive, read_docker_archive
from packager.image.bases import EngineBase
from packager.image.context import build_context
from packager.image.description import ModelLayers
from packager.image.image import Image, PackedImage
from packager.image.layout import new_layout
from packager.progress import Report, detail, say
from packager.values import ImageReference

if TYPE_CHECKING:
    from packager.engine import Engine, EngineImage


def place_in_engine(
    engine: Engine,
    base: EngineBase,
    model: ModelLayers,
    reference: ImageReference,
    *,
    labels: Mapping[str, str],
    report: Report,
) -> EngineImage:
    """Bring the model's image into the engine that holds ``base``, by the quickest way that the engine knows.

    It is named if it is there; else loaded, without the layers that it shares with its base; else, by an
    engine that refuses such an archive, built from ``Dockerfile.serving``: the same content by another ID.

    To put the files into a container and commit it would spare a quarter of a build's time, and win nothing
    else: the engine writes the layer anew, by another digest, and a config with the time and the container's
    name in it, so that the ID is another each time, where a build's is at least what the Dockerfile says.
    Raises BuildError, EngineFullError or EngineUnavailableError.
    """
    image = model.upon(base.image.config, labels)
    if present := engine.image(image.id):
        detail(report, "the engine has this very image: naming it")
        engine.tag(image.id, reference)
        return present
    return _loaded(engine, image, model, base, reference, report) or engine.build(
        build_context(model.content),
        tag=reference,
        arguments={
            "BASE": base.build_argument,
            "SERVING_MODEL": model.content.models[0],
            "SERVING_FLAGS": " ".join(model.content.flags),
        },
        labels=labels,
        report=report,
    )


def copy_from_engine(
    engine: Engine,
    image_id: str,
    place: Path,
    reference: ImageReference,
    annotations: Mapping[str, str],
    *,
    report: Report,
) -> str:
    """Write an image of the engine as a layout; return the digest of its manifest."""
    with new_layout(place) as layout:
        say(report, f"copying the image to '{place}'")
        image = read_docker_archive(engine.save(image_id), layout.blobs)
        packed = PackedImage(image=image, manifest=image.manifest_document(annotations), blobs=layout.blobs)
        layout.finish(packed, reference)
    return packed.digest


def write_tarball(place: Path, archive: Iterable[bytes], *, report: Report) -> None:
    """Write an archive aside and rename it into place, or raise OutputError and leave nothing."""
    aside = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place.parent, prefix=f".{place.name}-", delete=False) as file:
            aside = Path(file.name)
            for chunk in archive:
                file.write(chunk)
                say(report, f"writing '{place}'", done=file.tell())
        aside.chmod(0o644)
        aside.replace(place)
    except OSError as error:
        raise OutputError(
            f"cannot write '{place}': {error.strerror}", hint="name another file: --tarball FILE"
        ) from error
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)


def _loaded(
    engine: Engine,
    image: Image,
    model: ModelLayers,
    base: EngineBase,
    reference: ImageReference,
    report: Report,
) -> EngineImage | None:
    """Load the layers above those of ``base``; return ``None`` where the engine takes no such archive.

    Docker with its own image store does. Podman refuses it, and Docker on containerd's store gives
    images other IDs.
    """
    try:
        engine.load(docker_archive(image, model, reference, present=base.image.layers), report=report)
    except (EngineUnavailableError, EngineFullError, BuildError):
        raise
    except EngineError as error:
        detail(report, f"the engine loads no image in part ({error}): building it instead")
        return None
    found = engine.image(str(reference))
    if found is None or found.id != image.id:
        detail(report, "the engine made another image of what was loaded: building it instead")
        return None
    detail(report, f"loaded {len(image.layers)} layers upon those of the base")
    return found
