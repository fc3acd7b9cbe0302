"""Signatures, version folders, and what a conversion made."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packager.errors import UsageError
from packager.values.files import NOTHING_SUPPLIED, Binding, Supplied
from packager.values.tensors import TensorSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature of a SavedModel: what a client may send, and what it gets back."""

    key: str
    method: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A signature to be exported, with the function that answers it; TensorFlow's tensors go in and out."""

    key: str
    method: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]
    """Names; what is traced tells the rest."""
    call: Callable[[Sequence[Any]], Sequence[Any]]
    """Tensors in the order of ``inputs`` → tensors in the order of ``outputs``."""
    plain: tuple[TensorSpec, ...]
    """What the model's requests are before this endpoint's form: the same for all its endpoints."""
    drawn_from: tuple[int | tuple[str, ...] | None, ...] = ()
    """For each of ``plain``, what its whole numbers lie below, or its texts; ``None`` where it takes any."""
    encode: Callable[[Sequence[Any]], Sequence[Any]] = tuple
    """The arrays of a request as ``plain`` → those of the same request to this endpoint."""
    resources: tuple[Any, ...] = ()
    """What has to be saved beside the variables: lookup tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServableVersion:
    """One version folder of a model that TensorFlow Serving can load: ``<base path>/<name>/<version>``."""

    name: str
    version: int
    path: Path

    def __post_init__(self) -> None:
        check_model_name(self.name)
        check_version(self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closeness:
    """How far an answer may be from another: ``atol + rtol * |the other|``."""

    rtol: float = 1e-5
    atol: float = 1e-5

    def __post_init__(self) -> None:
        for option, value in (("--rtol", self.rtol), ("--atol", self.atol)):
            if not 0 <= value < float("inf"):
                raise UsageError(f"invalid {option} {value:g}", hint=f"{option} 1e-5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """How far one output of a SavedModel is from the source model's, at most."""

    signature: str
    output: str
    largest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionOptions:
    """What a SavedModel is to look like, beyond what its source tells."""

    supplied: Supplied = NOTHING_SUPPLIED
    """What the file lacks: an architecture for weights, a mapping, custom objects."""
    input_names: Mapping[str, str] = field(default_factory=dict)
    """New names of inputs by their old ones."""
    output_names: Mapping[str, str] = field(default_factory=dict)
    """New names of outputs by their old ones."""
    signature: Path | None = None
    """A TOML file that declares further signatures, and the steps before and after the model."""
    samples: Path | None = None
    """Real requests to record, instead of random ones."""
    warmup: tuple[int, ...] = (1,)
    """Batch sizes that a server plays before it is ready."""
    warmup_samples: bool = False
    """Whether it plays ``samples``, instead of random requests."""
    golden: Path | None = None
    """Inputs with the outputs that are expected of them: other answers are an error."""
    golden_tolerance: float = 1e-5
    """Largest difference from them, absolute and relative."""
    load_timeout: float | None = None
    """Seconds that the conversion may take, by the size of the weights unless given."""
    load_memory: int | None = None
    """Bytes of memory that it may take, by the size of the weights unless given."""
    close: Closeness = Closeness()
    """How far the SavedModel's answers may be from the source's."""

    compatible_with: str | None = None
    """A target whose clients must not break: what would break them is refused."""

    optimize: bool = False
    """Whether batch normalisations go into the weights before them, and what that gains is measured."""


AS_THE_SOURCE = ConversionOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """How long a stage took."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingCost:
    """What a SavedModel costs a server, measured with TensorFlow's C API."""

    load_seconds: float
    latency_ms: float
    """Of a request, the quickest of several."""
    size: int
    """Bytes of the graph and the weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """What was changed for speed, and what that gained; ``parity`` tells how far it moved the answers."""

    folded: tuple[str, ...]
    """Layers whose batch normalisation went into the weights before them."""
    batch: int
    """How many examples the request had that was timed."""
    before: ServingCost
    after: ServingCost


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A SavedModel that was made from a file, or from another SavedModel."""

    servable: ServableVersion
    source: Path
    source_sha256: str
    source_keras: str | None
    loader: str
    """The library that rebuilt the model, with its version: ``keras 3.15.1``, ``tf_keras 2.20.1``."""
    tensorflow: str
    signatures: tuple[Signature, ...]
    bindings: tuple[Binding, ...]
    parameters: int
    unsafe_lambdas: tuple[str, ...]
    """Layers whose bytecode, from the file, was run because that was allowed."""
    parity: float
    """Largest absolute difference between the source model's and the SavedModel's answers."""
    deviations: tuple[Deviation, ...] = ()
    """The same, of each output."""
    golden: float | None = None
    """Largest absolute difference from the golden outputs, where there were any."""
    as_it_is: bool = False
    """Whether the source was a SavedModel, and this is a copy of it, byte for byte."""
    optimization: Optimization | None = None
    """What ``--optimize`` did, where there was anything to do."""
    warnings: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    """Why something was done in an ordinary way, which takes more memory, instead of as a stream."""
    stages: tuple[StageTime, ...] = ()
    """Where the time went, in order."""
    peak_memory: int = 0
    """The most bytes that the process which converted had in memory at once, TensorFlow's own included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedVersion:
    """A version folder that came out the same, to the byte, when it was made again."""

    path: Path
    files: int
    """How many are the same."""
    size: int
    """Their bytes."""
    answers_apart: float | None = None
    """How far recorded answers are from this processor's at most; ``None`` where they are among ``files``."""


def check_model_name(name: str) -> str:
    """Return ``name`` if TensorFlow Serving can serve a model so named, or raise UsageError.

    Its REST paths take ``[^/:]+``; the name is a folder and an environment variable's value as well,
    so it must not start with a dot or a dash.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", name):
        raise UsageError(
            f"invalid model name {name!r}",
            hint="use letters, digits, '_', '-' and '.', starting with a letter, digit or '_': --name digits",
        )
    return name


def check_version(version: int) -> int:
    """Return ``version`` if it can name a version folder (a non-negative int64), or raise UsageError."""
    if not 0 <= version < 2**63:
        raise UsageError(f"invalid version {version}", hint="a version is a whole number from 0: --version 1")
    return version
