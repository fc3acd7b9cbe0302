"""An image as the engine describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineImage:
    """What the engine knows of an image that it holds."""

    id: str
    tags: tuple[str, ...]
    repo_digests: tuple[str, ...]
    """References pinned by digest, one for each repository it was pulled from or pushed to."""
    os: str
    architecture: str
    size: int
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    user: str
    entrypoint: tuple[str, ...]
    exposed_ports: tuple[int, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    """Its config in the words of the OCI specification, without the history, which engines tell in part."""
    layers: tuple[str, ...] = ()
    """Digests of the uncompressed layers, the lowest first."""

    @property
    def platform(self) -> str:
        """What it runs on: ``linux/amd64``."""
        return f"{self.os}/{self.architecture}"

    @classmethod
    def from_inspection(cls, inspection: Mapping[str, Any]) -> EngineImage:
        """Read the engine's answer to ``GET /images/{name}/json``, where empty parts are null or absent."""
        config = inspection.get("Config") or {}
        return cls(
            id=inspection["Id"],
            tags=tuple(inspection.get("RepoTags") or ()),
            repo_digests=tuple(inspection.get("RepoDigests") or ()),
            os=inspection["Os"],
            architecture=inspection["Architecture"],
            size=inspection["Size"],
            labels=config.get("Labels") or {},
            environment=dict(entry.split("=", 1) for entry in config.get("Env") or () if "=" in entry),
            user=config.get("User") or "",
            entrypoint=tuple(config.get("Entrypoint") or ()),
            exposed_ports=tuple(sorted(int(port.split("/")[0]) for port in config.get("ExposedPorts") or ())),
            config={
                "os": inspection["Os"],
                "architecture": inspection["Architecture"],
                "variant": inspection.get("Variant"),
                "config": config,
                "rootfs": {"diff_ids": (inspection.get("RootFS") or {}).get("Layers") or []},
            },
            layers=tuple((inspection.get("RootFS") or {}).get("Layers") or ()),
        )
