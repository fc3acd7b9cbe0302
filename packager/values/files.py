"""What an ``.h5`` file is, and which of its datasets become which variables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from packager.values.tensors import TensorSpec


class FileKind(str, Enum):
    """What a file holds, by its structure (never by its name)."""

    FULL_MODEL = "full-model"
    ARCHIVE = "keras-archive"
    WEIGHTS = "weights-only"
    KERAS3_WEIGHTS = "keras3-weights"
    RAW = "raw-datasets"
    SAVED_MODEL = "saved-model"
    """A folder with a graph, its variables and signatures, and no architecture of Keras."""

    @property
    def has_architecture(self) -> bool:
        """Whether the model can be rebuilt from the file alone."""
        return self in (FileKind.FULL_MODEL, FileKind.ARCHIVE, FileKind.SAVED_MODEL)


class Severity(str, Enum):
    """How bad a finding is: an ``error`` is refused before anything is loaded."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something in a file that its reader should know, found without executing anything."""

    rule: str
    severity: Severity
    path: str
    """Where inside the file: an HDF5 path, or a path in the model config (``model_config/layers/3``)."""
    message: str
    layer: str = ""
    """The layer it is about, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightDataset:
    """One dataset of weights, as the file declares it."""

    path: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def parameters(self) -> int:
        """How many numbers it holds."""
        count = 1
        for dimension in self.shape:
            count *= dimension
        return count


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSummary:
    """One layer of the architecture with the weights the file holds for it."""

    name: str
    class_name: str
    weights: tuple[WeightDataset, ...] = ()
    custom: bool = False
    """Whether the class is unknown to Keras and has to be supplied."""

    @property
    def parameters(self) -> int:
        """How many numbers its weights hold."""
        return sum(weight.parameters for weight in self.weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What an ``.h5`` file is, told from its structure alone."""

    path: Path
    size: int
    kind: FileKind
    keras_version: str | None
    backend: str | None
    model_class: str | None
    layers: tuple[LayerSummary, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]
    """Names of the output layers, in the model's order."""
    custom_classes: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def parameters(self) -> int:
        """How many numbers the file's weights hold."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def keras_generation(self) -> int | None:
        """1, 2 or 3 by who wrote the file, ``None`` where nothing tells."""
        if self.keras_version is None:
            return None
        match = re.match(r"(\d+)\.", self.keras_version)
        return int(match[1]) if match else 2  # "tfjs-layers v1.2.3" writes Keras 2 configs

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that forbid loading."""
        return tuple(f for f in self.findings if f.severity is Severity.ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Which dataset a variable's value comes from, and how its bytes become the variable's."""

    variable: str
    shape: tuple[int, ...]
    dtype: str
    dataset: str
    transform: str
    """``copy``, or what was done: ``transpose 2 3 1 0``, ``flip 0 1``, ``slice``, ``reshape``, ``sum`` of its
    halves, ``convert`` to another order, ``part 0:8`` where it is that part of the variable."""
    matched: str = ""
    """What told that the two belong together, where the file alone does not: ``name``, ``order``…"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplied:
    """What whoever converts a file brings along, because the file lacks it."""

    architecture: str | None = None
    """A config in a ``.json``, ``.yaml`` or ``.toml`` file, ``file.py:function``, ``module:function`` or
    ``keras.applications:Name``."""
    arguments: tuple[tuple[str, Any], ...] = ()
    """Keyword arguments for the architecture's function."""
    mapping: Path | None = None
    custom_objects: tuple[str, ...] = ()
    """Modules or Python files that define custom classes and functions."""
    lambdas: tuple[tuple[str, str], ...] = ()
    """For Lambda layers by name, the ``module:function`` to take in place of bytecode."""
    allow_unsafe_lambda: bool = False
    """Whether bytecode in the file may be run, in the process that loads the model."""
    keras1_backend: str | None = None
    """Backend of Keras 1 that wrote the weights: ``theano`` or ``tensorflow``."""
    vocabularies: tuple[tuple[str, Path], ...] = ()
    """For layers that look words up by name, files of the vocabularies that HDF5 does not keep."""


NOTHING_SUPPLIED = Supplied()


def lambda_name(layer: str) -> str:
    """Return the name under which a Lambda layer's function is handed from the gate to the loader."""
    return f"lambda:{layer}"
