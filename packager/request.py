"""A conversion as its two sides know it: what is asked of the process that converts, and what it tells.

The side that asks reads no model, so nothing is imported here that does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packager.importing import ENVIRONMENT
from packager.isolation import Limits
from packager.values import (
    AS_THE_SOURCE,
    Binding,
    ConversionOptions,
    Deviation,
    FileKind,
    Inspection,
    Optimization,
    Signature,
)

if TYPE_CHECKING:
    from packager.signatures import Declaration


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionRequest:
    """An inspected file, and what its SavedModel is to look like."""

    inspection: Inspection
    config: Mapping[str, Any] | None
    """The architecture, as the file or one beside it holds it; ``None`` where the user's code makes it."""
    options: ConversionOptions
    name: str
    """The model's."""
    declaration: Declaration
    """What the signature file of the options declares."""
    work: Path
    """An empty folder to write the SavedModel into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionResult:
    """What was found out while converting."""

    loader: str
    tensorflow: str
    source_sha256: str
    signatures: tuple[Signature, ...]
    bindings: tuple[Binding, ...]
    parameters: int
    deviations: tuple[Deviation, ...]
    golden: float | None
    warnings: tuple[str, ...]
    fallbacks: tuple[str, ...]
    peak_memory: int
    optimization: Optimization | None = None

    @property
    def parity(self) -> float:
        """Largest difference of any output."""
        return max((found.largest for found in self.deviations), default=0.0)


def environment(inspection: Inspection) -> Mapping[str, str]:
    """Return the variables for rebuilding a file: the Keras of TensorFlow is the one that wrote it."""
    keras2 = inspection.keras_generation in (1, 2) or inspection.kind is FileKind.WEIGHTS
    return {**ENVIRONMENT, "TF_USE_LEGACY_KERAS": "1" if keras2 else "0"}


def limits(inspection: Inspection, options: ConversionOptions = AS_THE_SOURCE) -> Limits:
    """Return what rebuilding a file may take: as was asked, else by the bytes of its weights."""
    weights = max(inspection.size, 4 * inspection.parameters)
    return Limits(
        seconds=options.load_timeout or 300 + weights / (4 << 20),
        memory=options.load_memory or (4 << 30) + 6 * weights,
    )
