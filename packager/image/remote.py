"""Images in registries as values, their layers fetched into the cache when somebody reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packager.errors import BaseUnavailableError
from packager.image.blobs import Blob
from packager.image.cache import Cache
from packager.image.image import LAYER, Image, Layer
from packager.image.registry import Repository
from packager.progress import Report, say, silent
from packager.values import AS_DOCKER_DOES, ImageReference, RegistryAccess

_OCI_LAYER = {
    "application/vnd.docker.image.rootfs.diff.tar": LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{LAYER}+gzip",
}


class FetchedBlobs:
    """The blobs of a repository, each fetched into the cache before it is read for the first time."""

    def __init__(self, repository: Repository, cache: Cache, report: Report) -> None:
        self._repository = repository
        self._cache = cache
        self._report = report

    def chunks(self, blob: Blob) -> Iterator[bytes]:
        """Yield the content of a blob, or raise DigestMismatchError or another RegistryError."""
        if not self._cache.blobs.has(blob):
            self._cache.blobs.add(self._fetched(blob), expected=blob.digest)
        yield from self._cache.blobs.chunks(blob)

    def _fetched(self, blob: Blob) -> Iterator[bytes]:
        done = 0
        for chunk in self._repository.blob(blob.digest):
            done += len(chunk)
            say(self._report, f"fetching a layer of {self._repository.path}", done=done, total=blob.size)
            yield chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteImage:
    """An image in a registry: what its name led to, and its layers, which are not fetched yet."""

    image: Image
    digest: str
    """What the reference has now: an index's, where it leads to one."""
    blobs: FetchedBlobs


def remote_image(
    reference: ImageReference,
    platform: str,
    cache: Cache,
    *,
    access: RegistryAccess = AS_DOCKER_DOES,
    report: Report = silent,
) -> RemoteImage:
    """Return the registry's image of that name for ``platform``; raises a RegistryError."""
    repository = Repository(reference, access=access)
    digest, manifest = repository.manifest(reference.digest or reference.tag_or_latest)
    if "manifests" in manifest:
        _, manifest = repository.manifest(_for_platform(manifest, platform, reference))
    blobs = FetchedBlobs(repository, cache, report)
    config = b"".join(blobs.chunks(_blob(manifest["config"])))
    layers = tuple(
        Layer(
            blob=_blob(layer),
            diff_id=diff_id,
            media_type=_OCI_LAYER.get(layer["mediaType"], layer["mediaType"]),
        )
        for diff_id, layer in zip(json.loads(config)["rootfs"]["diff_ids"], manifest["layers"], strict=True)
    )
    return RemoteImage(image=Image(config_document=config, layers=layers), digest=digest, blobs=blobs)


def _blob(descriptor: Mapping[str, Any]) -> Blob:
    return Blob(digest=descriptor["digest"], size=descriptor["size"])


def _for_platform(index: Mapping[str, Any], platform: str, reference: ImageReference) -> str:
    offered: dict[str, str] = {}
    for entry in index["manifests"]:
        described = entry.get("platform") or {}
        offered.setdefault(f"{described.get('os')}/{described.get('architecture')}", entry["digest"])
    if platform not in offered:
        raise BaseUnavailableError(
            f"the base image {str(reference)!r} is not made for {platform}, only for {', '.join(offered)}",
            hint="build on packager's own runtime: --base embedded",
        )
    return offered[platform]
