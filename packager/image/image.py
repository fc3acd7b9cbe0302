"""What an image is, whoever holds it: its config and its layers, and the documents made from them.

Formats: github.com/opencontainers/image-spec (config.md, manifest.md).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from packager.errors import UsageError
from packager.image.blobs import Blob

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


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

    def manifest_document(self, config: Blob, annotations: Mapping[str, str]) -> bytes:
        """Return the manifest's bytes; their digest is the image's own."""
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

    def extended(self, layer: Layer, *, settings: Mapping[str, Any], created: str, comment: str) -> Image:
        """Return this image with one more layer, and with ``settings`` over those of its config.

        Environment, labels and exposed ports are merged; every other setting replaces the base's.
        """
        config = self.config
        config["created"] = created
        config["config"] = _merged(config.get("config") or {}, settings)
        config["rootfs"]["diff_ids"].append(layer.diff_id)
        config.setdefault("history", []).append({"created": created, "created_by": comment})
        return Image(config_document=document(config), layers=(*self.layers, layer))


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
    merged = {key: value for key, value in {**base, **settings}.items() if value is not None}
    for key in ("Labels", "ExposedPorts"):
        merged[key] = {**(base.get(key) or {}), **settings.get(key, {})}
    environment = dict(entry.split("=", 1) for entry in (*(base.get("Env") or ()), *settings.get("Env", ())))
    merged["Env"] = [f"{name}={value}" for name, value in environment.items()]
    return merged
