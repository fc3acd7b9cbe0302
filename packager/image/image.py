"""What an image is, whoever holds it: its config and its layers, and the documents made from them.

Formats: github.com/opencontainers/image-spec (config.md, manifest.md).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from packager.errors import UsageError
from packager.image.blobs import Blob, Blobs

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"

BASE_COMMENT = "layer of the base"
"""In the history, on each layer that is none of the model's."""

_SETTINGS = (
    *("User", "Env", "Entrypoint", "Cmd", "WorkingDir", "Volumes", "ExposedPorts", "Labels"),
    *("StopSignal", "Healthcheck", "Shell"),
)
"""What a base may set: the specification's settings, and Docker's two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer of an image: its blob, and the digest of the tar stream inside (``diff_id``)."""

    blob: Blob
    diff_id: str
    media_type: str = LAYER

    @classmethod
    def uncompressed(cls, blob: Blob) -> Layer:
        """Return the layer whose blob is the tar stream itself."""
        return cls(blob=blob, diff_id=blob.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image as a value: its config, bytes whose digest is the image ID, and its layers, lowest first."""

    config_document: bytes
    layers: tuple[Layer, ...]

    @property
    def id(self) -> str:
        """Digest of the config: what engines call the image by."""
        return self.config_blob.digest

    @property
    def config_blob(self) -> Blob:
        """The config as a blob."""
        return Blob.of(self.config_document)

    @property
    def config(self) -> dict[str, Any]:
        """The OCI config, parsed."""
        config: dict[str, Any] = json.loads(self.config_document)
        return config

    @property
    def platform(self) -> str:
        """What it runs on: ``linux/amd64``."""
        config = self.config
        return f"{config['os']}/{config['architecture']}"

    @property
    def size(self) -> int:
        """Bytes of all layers."""
        return sum(layer.blob.size for layer in self.layers)

    def manifest_document(self, annotations: Mapping[str, str]) -> bytes:
        """Return the manifest's bytes; their digest is the image's own."""
        config = self.config_blob
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": config.digest, "size": config.size},
            "layers": [
                {"mediaType": layer.media_type, "digest": layer.blob.digest, "size": layer.blob.size}
                for layer in self.layers
            ],
            "annotations": dict(annotations),
        }
        return document(manifest)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedImage:
    """An image ready to be handed over: its manifest, and where its config and layers can be read."""

    image: Image
    manifest: bytes
    blobs: Blobs

    @property
    def digest(self) -> str:
        """Digest of the manifest: what registries call the image by."""
        return Blob.of(self.manifest).digest


def config_upon(
    base: Mapping[str, Any],
    layers: Sequence[tuple[str, str]],
    *,
    settings: Mapping[str, Any],
    created: str,
) -> bytes:
    """Return the config of an image that has ``layers`` (``diff_id`` and comment) upon those of ``base``.

    ``base`` is a config too. Of it counts only what engines and registries tell alike, so that the
    same base gives the same config wherever it was found; its history does not. Environment, labels and
    exposed ports are merged with ``settings``; every other setting of those replaces the base's.
    """
    below = list(base["rootfs"]["diff_ids"])
    variant = {"variant": base["variant"]} if base.get("variant") else {}
    comments = [*(BASE_COMMENT for _ in below), *(comment for _, comment in layers)]
    config = {
        "os": base["os"],
        "architecture": base["architecture"],
        **variant,
        "created": created,
        "config": _merged(base.get("config") or {}, settings),
        "rootfs": {"type": "layers", "diff_ids": [*below, *(diff_id for diff_id, _ in layers)]},
        "history": [{"created": created, "created_by": comment} for comment in comments],
    }
    return document(config)


def document(content: Any) -> bytes:
    """Return a JSON document that depends on its content alone."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def source_date() -> int:
    """Return the time that images carry: ``SOURCE_DATE_EPOCH`` (reproducible-builds.org), or 0."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "0")
    if not text.isdecimal():
        raise UsageError(
            f"SOURCE_DATE_EPOCH is not a number of seconds: {text!r}", hint="unset SOURCE_DATE_EPOCH"
        )
    return int(text)


def timestamp(seconds: int) -> str:
    """Return ``seconds`` since the epoch as RFC 3339 has it."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _merged(base: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    merged = {key: base[key] for key in _SETTINGS if base.get(key)}
    merged.update(settings)
    for key in ("Labels", "ExposedPorts"):
        merged[key] = {**(base.get(key) or {}), **settings.get(key, {})}
    environment = dict(entry.split("=", 1) for entry in (*(base.get("Env") or ()), *settings.get("Env", ())))
    merged["Env"] = [f"{name}={value}" for name, value in environment.items()]
    return {key: value for key, value in merged.items() if value is not None}
