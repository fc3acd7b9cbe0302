"""The values that pass between stages: frozen, keyword-only, with tuples inside, checked when made."""

from __future__ import annotations

from packager.values.access import AS_DOCKER_DOES, DOCKER_HUB, RegistryAccess, registry_of
from packager.values.contracts import Audit, ContractChange, ContractDiff
from packager.values.document import to_json
from packager.values.files import (
    NOTHING_SUPPLIED,
    Binding,
    FileKind,
    Finding,
    Inspection,
    LayerSummary,
    Severity,
    Supplied,
    WeightDataset,
    lambda_name,
)
from packager.values.images import BuiltImage, ImageReference, PushedImage, VerifiedImage
from packager.values.models import (
    AS_THE_SOURCE,
    Conversion,
    ConversionOptions,
    Endpoint,
    ServableVersion,
    Signature,
    check_model_name,
    check_version,
)
from packager.values.release import Check, Origin, Release
from packager.values.serving import LATEST, SERVER_DEFAULTS, ServingOptions, VersionLabel
from packager.values.smoke import (
    NO_LIMITS,
    Budget,
    ExampleRequest,
    ImageFacts,
    Load,
    LoadResult,
    Phase,
    Prediction,
    Probe,
    SmokeOutcome,
    SmokeReport,
    SmokeSettings,
    percentile,
)
from packager.values.tensors import Shape, TensorSpec

__all__ = [
    "Shape",
    "TensorSpec",
    "FileKind",
    "Severity",
    "Finding",
    "WeightDataset",
    "LayerSummary",
    "Inspection",
    "Binding",
    "Supplied",
    "NOTHING_SUPPLIED",
    "lambda_name",
    "Signature",
    "Endpoint",
    "ServableVersion",
    "Conversion",
    "ConversionOptions",
    "AS_THE_SOURCE",
    "check_model_name",
    "check_version",
    "ImageReference",
    "BuiltImage",
    "VerifiedImage",
    "PushedImage",
    "RegistryAccess",
    "AS_DOCKER_DOES",
    "DOCKER_HUB",
    "registry_of",
    "ServingOptions",
    "VersionLabel",
    "SERVER_DEFAULTS",
    "LATEST",
    "Prediction",
    "Probe",
    "ExampleRequest",
    "ImageFacts",
    "Phase",
    "Budget",
    "NO_LIMITS",
    "SmokeReport",
    "SmokeSettings",
    "SmokeOutcome",
    "percentile",
    "Load",
    "LoadResult",
    "ContractChange",
    "ContractDiff",
    "Audit",
    "Release",
    "Check",
    "Origin",
    "to_json",
]
