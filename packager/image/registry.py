"""A repository of a registry: its manifests and blobs, read and written with no engine.

Protocol: github.com/opencontainers/distribution-spec.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import requests
import urllib3

from packager.errors import DigestMismatchError, RegistryAuthError, RegistryError
from packager.image import transport
from packager.image.blobs import Blob, Blobs
from packager.image.image import INDEX, MANIFEST
from packager.image.tarball import CHUNK
from packager.image.transport import InterruptedTransferError, Transport
from packager.progress import Report, detail, silent
from packager.values import AS_DOCKER_DOES, ImageReference, RegistryAccess

_DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_ACCEPT = {"Accept": ", ".join((INDEX, MANIFEST, _DOCKER_INDEX, _DOCKER_MANIFEST))}
_BYTES = {"Content-Type": "application/octet-stream"}
_IN_ONE_REQUEST = 1 << 20


class Repository:
    """One repository of a registry."""

    def __init__(
        self, reference: ImageReference, report: Report = silent, *, access: RegistryAccess = AS_DOCKER_DOES
    ) -> None:
        self._report = report
        self._transport = Transport(reference, access)
        self.registry = self._transport.registry
        self.path = self._transport.path
        self.url = self._transport.url

    def manifest(self, name: str) -> tuple[str, Mapping[str, Any]]:
        """Return the digest and the content of the manifest or index ``name``, a tag or digest."""
        body = self.manifest_document(name)
        return Blob.of(body).digest, json.loads(body)

    def manifest_document(self, name: str) -> bytes:
        """Return the bytes of a manifest or index; their digest is its own."""
        body = self._transport.request("GET", f"manifests/{name}", headers=_ACCEPT).content
        digest = Blob.of(body).digest
        if name.startswith("sha256:") and name != digest:
            raise DigestMismatchError(f"the registry {self.registry!r} answered {digest} for {name}")
        return body

    def blob(self, digest: str) -> Iterator[bytes]:
        """Yield the content of a blob; its digest is for the receiver to verify."""
        with closing(self._transport.request("GET", f"blobs/{digest}", stream=True)) as response:
            try:
                yield from response.raw.stream(CHUNK, decode_content=False)
            except urllib3.exceptions.HTTPError as error:
                self._transport.broken(requests.ConnectionError(error))

    def content(self, blob: Blob) -> bytes:
        """Return a small blob whole, or raise DigestMismatchError."""
        content = b"".join(self.blob(blob.digest))
        if Blob.of(content) != blob:
            raise DigestMismatchError(
                f"the registry {self.registry!r} answered other bytes for {blob.digest}"
            )
        return content

    def has(self, blob: Blob) -> bool:
        """Tell whether the repository has the blob, in its size."""
        response = self._transport.request("HEAD", f"blobs/{blob.digest}", expected=(404,))
        return bool(response.ok) and response.headers.get("Content-Length", str(blob.size)) == str(blob.size)

    def mount(self, blob: Blob, source: str) -> bool:
        """Take the blob over from another repository of this registry; tell whether that was done."""
        response = self._transport.request(
            "POST", "blobs/uploads/", params={"mount": blob.digest, "from": source}, expected=(404, 405)
        )
        if response.status_code == requests.codes.accepted:  # an upload was begun instead
            self._transport.request("DELETE", response.headers["Location"], expected=(404, 405))
        return bool(response.status_code == requests.codes.created)

    def upload(self, blob: Blob, blobs: Blobs, tell: Callable[[int], None]) -> None:
        """Put a blob there; ``tell`` is called with how many bytes of it are on their way.

        A small one goes in one request. The upload of a larger one that breaks off goes on where the registry
        has it, or begins anew.
        """
        if blob.size <= _IN_ONE_REQUEST:
            self._upload_whole(blob, b"".join(blobs.chunks(blob)))
        else:
            self._upload_long(blob, blobs, tell)
        tell(blob.size)

    def _upload_whole(self, blob: Blob, content: bytes) -> None:
        """Send a blob in one request; where that fails, see whether it arrived, and begin anew."""
        try:
            self._finish(self._started(), blob, lambda: content)
        except RegistryAuthError:
            raise
        except RegistryError:
            if not self.has(blob):
                self._finish(self._started(), blob, lambda: content)

    def _upload_long(self, blob: Blob, blobs: Blobs, tell: Callable[[int], None]) -> None:
        location, offset = self._started(), 0
        for pause in (*transport.PAUSES, None):
            try:
                location = self._sent(location, blob, blobs, offset, tell)
                break
            except InterruptedTransferError:
                if pause is None:
                    raise
                time.sleep(pause)
                location, offset = self._resumed(location)
        self._finish(location, blob)

    def _finish(self, location: str, blob: Blob, content: Callable[[], bytes] | None = None) -> None:
        """End an upload, with the ``content`` that is still to come; the registry checks the digest then."""
        self._transport.request(
            "PUT",
            location,
            params={"digest": blob.digest},
            headers=_BYTES,
            content=content,
        )

    def put_manifest(self, name: str, manifest: bytes) -> bool:
        """Put a manifest there under ``name``, a tag or its digest, and see that these bytes arrived.

        Return whether the registry itself keeps account of what refers to the manifest's subject. Raises
        DigestMismatchError where it tells of other bytes.
        """
        digest = Blob.of(manifest).digest
        media_type = json.loads(manifest).get("mediaType", MANIFEST)
        response = self._transport.request(
            "PUT", f"manifests/{name}", headers={"Content-Type": media_type}, content=lambda: manifest
        )
        told = response.headers.get("Docker-Content-Digest", digest)
        read_back, _ = self.manifest(name)
        for found in (told, read_back):
            if found != digest:
                raise DigestMismatchError(
                    f"the registry {self.registry!r} holds {found} as {self.path}:{name}, not {digest}",
                    hint="push again, and see that nobody else pushes this tag",
                )
        return "OCI-Subject" in response.headers

    def find_manifest(self, name: str) -> tuple[str, Mapping[str, Any]] | None:
        """Return the digest and the content of a manifest, ``None`` where there is none of that name."""
        response = self._transport.request("GET", f"manifests/{name}", headers=_ACCEPT, expected=(404,))
        return (Blob.of(response.content).digest, json.loads(response.content)) if response.ok else None

    def referrers(self, digest: str) -> Sequence[Mapping[str, Any]] | None:
        """Return descriptors of what refers to a manifest, ``None`` where the registry keeps no account."""
        response = self._transport.request("GET", f"referrers/{digest}", expected=(400, 404, 405))
        if not response.ok or INDEX not in response.headers.get("Content-Type", ""):
            return None
        found: Sequence[Mapping[str, Any]] = response.json().get("manifests") or []
        return found

    def _started(self) -> str:
        return self._transport.request("POST", "blobs/uploads/").headers["Location"]

    def _sent(self, location: str, blob: Blob, blobs: Blobs, offset: int, tell: Callable[[int], None]) -> str:
        """Send what comes after ``offset`` in one request; return where the upload goes on."""
        if offset == blob.size:
            return location

        def content() -> _Rest:
            return _Rest(blob, blobs, offset, tell)

        response = self._transport.request(
            "PATCH", location, headers=_BYTES, content=content, repeatable=False
        )
        return response.headers["Location"]

    def _resumed(self, location: str) -> tuple[str, int]:
        """Return where an upload goes on, and how much of it the registry has."""
        try:
            response = self._transport.request("GET", location)
        except RegistryAuthError:
            raise
        except RegistryError:  # docker's own registry forgets an upload in whose middle the connection broke
            detail(self._report, "the connection broke: the upload begins anew")
            return self._started(), 0
        last = re.fullmatch(r"(?:bytes=)?0-(\d+)", response.headers.get("Range", ""))
        offset = int(last[1]) + 1 if last and last[1] != "0" else 0  # an empty upload is told as 0-0
        detail(self._report, f"the connection broke: the upload goes on after {offset} bytes")
        return response.headers.get("Location", location), offset


class _Rest:
    """What is to be sent of a blob after ``offset`` bytes. It has a length, so that it goes in one piece."""

    def __init__(self, blob: Blob, blobs: Blobs, offset: int, tell: Callable[[int], None]) -> None:
        self._blob, self._blobs, self._offset, self._tell = blob, blobs, offset, tell

    def __len__(self) -> int:
        return self._blob.size - self._offset

    def __iter__(self) -> Iterator[bytes]:
        done = 0
        for chunk in self._blobs.chunks(self._blob):
            if rest := chunk[max(0, self._offset - done) :]:
                yield rest
            done += len(chunk)
            if done > self._offset:
                self._tell(done)
