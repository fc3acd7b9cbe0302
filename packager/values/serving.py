"""How the server of an image treats its models, where that is not the server's own default."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packager.errors import UsageError

LATEST = "latest"
"""Serve the highest version alone: what TensorFlow Serving does by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLabel:
    """A name for a version, which clients may ask for: ``/v1/models/digits/labels/stable``."""

    model: str | None
    """``None`` is the only model of the image."""
    name: str
    version: int

    @classmethod
    def parse(cls, text: str) -> VersionLabel:
        """Parse ``[model/]label=version``, or raise UsageError."""
        match = re.fullmatch(r"(?:([A-Za-z0-9_][\w.-]*)/)?([A-Za-z0-9_][\w.-]*)=(\d+)", text)
        if match is None:
            raise UsageError(
                f"invalid --version-label {text!r}",
                hint="--version-label stable=2, or of several models --version-label digits/stable=2",
            )
        return cls(model=match[1], name=match[2], version=int(match[3]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingOptions:
    """What goes into the server's config files inside an image."""

    policy: str = LATEST
    """``latest``, ``all``, or version numbers separated by commas."""
    labels: tuple[VersionLabel, ...] = ()
    batching: Path | None = None
    monitoring: Path | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"latest|all|\d+(,\d+)*", self.policy):
            raise UsageError(
                f"invalid --version-policy {self.policy!r}", hint="--version-policy latest, all, or 1,2"
            )


SERVER_DEFAULTS = ServingOptions()
