"""What a whole run made, and what ``doctor`` saw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packager.values.images import BuiltImage, ImageReference, PushedImage
from packager.values.models import Conversion
from packager.values.smoke import SmokeReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """All that one run of ``package`` made and found, fit to be kept beside the release."""

    packager: str
    """Version of packager itself."""
    conversion: Conversion
    image: BuiltImage
    smoke: SmokeReport
    pushed: PushedImage | None
    record: Path
    """Where this record was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that ``doctor`` looked at."""

    name: str
    ok: bool
    found: str
    fix: str | None = None
    """What to type where it is not ok."""
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What was found of an image in its registry, and of what is attached to it."""

    reference: ImageReference
    digest: str
    checks: tuple[Check, ...]
