"""Whether an image is what its inputs give: built again on paper, and compared part by part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from packager.errors import DigestMismatchError, ImageNotFoundError, RegistryError
from packager.image.cache import Cache
from packager.image.image import Image, document
from packager.image.labelling import REVISION, SOURCE
from packager.image.remote import remote_image
from packager.progress import Report
from packager.values import AS_DOCKER_DOES, ImageReference, RegistryAccess

if TYPE_CHECKING:
    from packager.engine import Engine


def verify_image(
    image: Image,
    reference: ImageReference,
    *,
    engine: Engine | None,
    access: RegistryAccess = AS_DOCKER_DOES,
    report: Report,
) -> None:
    """See that ``reference``, in the engine or else in its registry, is ``image``.

    ``image`` needs no layers but those told in its config. Which revision it was built at is taken as it is
    told: the same model gives the same files at another one. Raises DigestMismatchError, which tells what
    differs, ImageNotFoundError or a RegistryError.
    """
    present = engine.image(str(reference)) if engine else None
    if present is not None:
        found_id, found = present.id, present.config
    else:
        try:
            remote = remote_image(
                reference, image.platform, Cache.default(), access=access, report=report
            ).image
        except RegistryError as error:
            raise ImageNotFoundError(
                f"there is no image {str(reference)!r} to compare with: {error}",
                hint="build it first (packager build), or list them: docker images",
                details=error.details,
            ) from error
        found_id, found = remote.id, remote.config
    image = _at_revision_of(found, image)
    if found_id != image.id:
        raise DigestMismatchError(
            f"{str(reference)!r} is {found_id}, and this model on this base gives {image.id}",
            hint="build it from the same model folder, versions, base and SOURCE_DATE_EPOCH",
            details="\n".join(differences(image.config, found)),
        )


def _at_revision_of(found: Mapping[str, Any], image: Image) -> Image:
    """Return ``image`` with the labels of revision and source that ``found`` has."""
    config = image.config
    told = (found.get("config") or {}).get("Labels") or {}
    kept = {key: value for key, value in config["config"]["Labels"].items() if key not in (REVISION, SOURCE)}
    config["config"]["Labels"] = kept | {key: told[key] for key in (REVISION, SOURCE) if key in told}
    return replace(image, config_document=document(config))


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Tell in which layers and settings two configs differ."""
    expected, found = ours["rootfs"]["diff_ids"], theirs["rootfs"]["diff_ids"]
    comments = [entry["created_by"] for entry in ours["history"]]
    told = [
        f"layer {i + 1} ({comments[i]}): {other}, not {one}"
        for i, (one, other) in enumerate(zip(expected, found, strict=False))
        if one != other
    ]
    if len(expected) != len(found):
        told.append(f"layers: {len(found)}, not {len(expected)}")
    one, other = ours["config"], theirs.get("config") or {}
    return told + [
        f"setting {key}: {other.get(key)!r}, not {one.get(key)!r}"
        for key in sorted(one)
        if one.get(key) != other.get(key)
    ]
