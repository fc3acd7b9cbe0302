"""Reading images from a registry, with no engine.

Protocol: github.com/opencontainers/distribution-spec; tokens: distribution.github.io/distribution/spec/auth.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import requests
import urllib3

from packager.errors import (
    BaseUnavailableError,
    DigestMismatchError,
    RegistryAuthError,
    RegistryError,
    RegistryUnreachableError,
)
from packager.image.blobs import Blob
from packager.image.cache import Cache
from packager.image.credentials import DOCKER_HUB, credentials_for
from packager.image.image import INDEX, LAYER, MANIFEST, Image, Layer
from packager.image.tarball import CHUNK
from packager.progress import Report, say, silent
from packager.values import ImageReference

_DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_ACCEPT = {"Accept": ", ".join((INDEX, MANIFEST, _DOCKER_INDEX, _DOCKER_MANIFEST))}
_OCI_LAYER = {
    "application/vnd.docker.image.rootfs.diff.tar": LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{LAYER}+gzip",
}
_TIMEOUT = (10, 60)
"""Seconds to connect, and between two chunks."""


class Repository:
    """One repository of a registry, to be read."""

    def __init__(self, reference: ImageReference) -> None:
        self.registry = DOCKER_HUB if reference.domain in (None, "index.docker.io") else str(reference.domain)
        self.path = reference.path
        host = self.registry
        if self.registry == DOCKER_HUB:
            host = "registry-1.docker.io"
            self.path = self.path if "/" in self.path else f"library/{self.path}"
        self.url = f"{'http' if _is_loopback(host) else 'https'}://{host}/v2/{self.path}"
        self._session = requests.Session()
        self._session.trust_env = not _is_loopback(host)  # no proxy leads back to this machine

    def manifest(self, name: str) -> tuple[str, Mapping[str, Any]]:
        """Return the digest and the content of the manifest or index ``name``, a tag or digest."""
        body = self._get(f"manifests/{name}", headers=_ACCEPT).content
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if name.startswith("sha256:") and name != digest:
            raise DigestMismatchError(f"the registry {self.registry!r} answered {digest} for {name}")
        return digest, json.loads(body)

    def blob(self, digest: str) -> Iterator[bytes]:
        """Yield the content of a blob; its digest is for the receiver to verify."""
        response = self._get(f"blobs/{digest}", stream=True)
        try:
            yield from response.raw.stream(CHUNK, decode_content=False)
        except urllib3.exceptions.HTTPError as error:
            self._unreachable(error)

    def _get(
        self, path: str, *, headers: Mapping[str, str] | None = None, stream: bool = False
    ) -> requests.Response:
        url = f"{self.url}/{path}"
        try:
            response = self._session.get(url, headers=headers, stream=stream, timeout=_TIMEOUT)
            if response.status_code == requests.codes.unauthorized:
                self._authorise(response.headers.get("WWW-Authenticate", ""))
                response = self._session.get(url, headers=headers, stream=stream, timeout=_TIMEOUT)
        except requests.RequestException as error:
            self._unreachable(error)
        if response.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
            raise RegistryAuthError(
                f"the registry {self.registry!r} refuses these credentials for {self.path!r}",
                hint=f"docker login {self.registry}",
            )
        if response.status_code == requests.codes.not_found:
            raise RegistryError(f"the registry {self.registry!r} has no {self.path!r} with {path!r}")
        if not response.ok:
            raise RegistryError(
                f"the registry {self.registry!r} answered {response.status_code} {response.reason}"
            )
        return response

    def _authorise(self, challenge: str) -> None:
        """Do what the registry's challenge asks for: basic credentials, or a token from its token service."""
        scheme, _, rest = challenge.partition(" ")
        credentials = credentials_for(self.registry)
        if scheme.lower() == "bearer":
            parameters = dict(re.findall(r'(\w+)="([^"]*)"', rest))
            answer = self._session.get(
                parameters.pop("realm", ""), params=parameters, auth=credentials, timeout=_TIMEOUT
            )
            token = answer.json() if answer.ok else {}
            self._session.headers["Authorization"] = (
                f"Bearer {token.get('token') or token.get('access_token')}"
            )
        elif credentials:
            self._session.auth = credentials

    def _unreachable(self, error: Exception) -> NoReturn:
        raise RegistryUnreachableError(
            f"no registry answers at {self.registry!r}",
            hint="check the address and the network",
            details=str(error),
        ) from error


def fetch_image(
    reference: ImageReference, platform: str, cache: Cache, *, report: Report = silent
) -> tuple[Image, str]:
    """Bring the image for ``platform`` into the cache; return it, and the digest ``reference`` has now."""
    repository = Repository(reference)
    digest, manifest = repository.manifest(reference.digest or reference.tag_or_latest)
    if "manifests" in manifest:
        _, manifest = repository.manifest(_for_platform(manifest, platform, reference))
    blobs = [Blob(digest=layer["digest"], size=layer["size"]) for layer in manifest["layers"]]
    config = b"".join(repository.blob(manifest["config"]["digest"]))
    total, done = sum(blob.size for blob in blobs), 0
    for blob in blobs:
        if not cache.blobs.has(blob):
            cache.blobs.add(
                _told(repository.blob(blob.digest), f"fetching {reference}", done, total, report),
                expected=blob.digest,
            )
        done += blob.size
    layers = tuple(
        Layer(blob=blob, diff_id=diff_id, media_type=_OCI_LAYER.get(layer["mediaType"], layer["mediaType"]))
        for blob, diff_id, layer in zip(
            blobs, json.loads(config)["rootfs"]["diff_ids"], manifest["layers"], strict=True
        )
    )
    return Image(config_document=config, layers=layers), digest


def _told(chunks: Iterator[bytes], doing: str, done: int, total: int, report: Report) -> Iterator[bytes]:
    for chunk in chunks:
        done += len(chunk)
        say(report, doing, done=done, total=total)
        yield chunk


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


def _is_loopback(host: str) -> bool:
    """Tell whether plain http is good enough, as it is for the docker command."""
    name = host.rsplit(":", 1)[0].strip("[]")
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
