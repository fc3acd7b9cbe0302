"""The values that pass between stages: frozen, keyword-only, with tuples inside, checked when made."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from packager.errors import PackagerError, UsageError

Shape = tuple[int | None, ...]
"""Dimensions of a tensor, ``None`` where a dimension is free."""


class FileKind(str, Enum):
    """What an HDF5 file holds, by its structure (never by its name)."""

    FULL_MODEL = "full-model"
    WEIGHTS = "weights-only"
    KERAS3_WEIGHTS = "keras3-weights"
    RAW = "raw-datasets"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """Name, dtype (numpy's name) and shape of a tensor; dimension 0 is the batch."""

    name: str
    dtype: str
    shape: Shape

    def __post_init__(self) -> None:
        if any(d is not None and d < 0 for d in self.shape):
            raise ValueError(f"negative dimension in {self.name!r}: {self.shape}")

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype}[{', '.join('?' if d is None else str(d) for d in self.shape)}]"


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
    keras1_backend: str | None = None
    """Backend of Keras 1 that wrote the weights: ``theano`` or ``tensorflow``."""


NOTHING_SUPPLIED = Supplied()


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
    limits: tuple[int | None, ...] = ()
    """For each input, what its whole numbers lie below; ``None`` where it takes any."""
    encode: Callable[[Sequence[Any]], Sequence[Any]] = tuple
    """The arrays of a request to the first endpoint → those of the same request to this one."""
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
class Conversion:
    """A SavedModel that was made from an ``.h5`` file."""

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
    parity: float
    """Largest absolute difference between the source model's and the SavedModel's answers."""
    warnings: tuple[str, ...] = ()


_IMAGE_REFERENCE = re.compile(
    r"(?:(?P<domain>(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?)/)?"
    r"(?P<path>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """A parsed image reference, ``[domain[:port]/]path[:tag][@digest]``.

    The grammar and the rule for telling a domain from a path (a dot, a colon, ``localhost`` or a
    capital letter makes it a domain) are those of github.com/distribution/reference.
    """

    domain: str | None
    path: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Parse ``text``, or raise UsageError."""
        head, slash, _ = text.partition("/")
        is_domain = bool(slash) and (
            "." in head or ":" in head or head == "localhost" or head != head.lower()
        )
        match = _IMAGE_REFERENCE.fullmatch(text if is_domain else f"placeholder.invalid/{text}")
        if not match or len(match["path"]) > 255:
            raise UsageError(
                f"invalid image reference {text!r}",
                hint="write [registry[:port]/]name[:tag], in lower case: registry.example.com/team/digits:1",
            )
        return cls(
            domain=head if is_domain else None, path=match["path"], tag=match["tag"], digest=match["digest"]
        )

    @property
    def repository(self) -> str:
        """The reference without tag and digest."""
        return f"{self.domain}/{self.path}" if self.domain else self.path

    @property
    def tag_or_latest(self) -> str:
        """The tag, ``latest`` where none was written."""
        return self.tag or "latest"

    def with_digest(self, digest: str) -> ImageReference:
        """Return the same repository, pinned to ``digest``."""
        return dataclasses.replace(self, tag=None, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """An image that was built around one or more servable versions."""

    reference: ImageReference
    image_id: str
    """Digest of the image's config, which engines call it by."""
    in_engine: bool
    """Whether the engine holds it under that reference."""
    digest: str | None
    """Digest of the manifest, where the image has one: in a layout, or in a registry."""
    layout: Path | None
    tarball: Path | None
    pushed: bool
    """Whether the registry holds it under that reference."""
    base: str
    """The base as it was resolved: a reference pinned by digest, or an image ID."""
    base_kind: str
    """``official``, ``embedded`` or ``custom``."""
    platform: str
    model_name: str
    versions: tuple[int, ...]
    size: int
    """Bytes, as the engine or the layout counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedImage:
    """An image that is, to the byte, what its model and base give."""

    reference: ImageReference
    image_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedImage:
    """An image in a registry, by the digest that the registry itself reports."""

    reference: ImageReference
    digest: str
    size: int | None = None

    @property
    def pinned(self) -> ImageReference:
        """The reference that can only ever mean these bytes."""
        return self.reference.with_digest(self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a server answered for one example in one output, as far as a table shows it."""

    output: str
    example: int
    """Its place in the batch."""
    size: int
    """How many values the output has for one example."""
    values: tuple[tuple[int, float | str], ...]
    """Flat index and value: the largest numbers first, or the first texts in their own order; ten at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One prediction request of a smoke test and how its answer compares with the recorded one."""

    signature: str
    form: str
    """``row`` or ``columnar`` over REST, or ``grpc``."""
    batch: int
    latency_ms: float
    max_difference: float
    predictions: tuple[Prediction, ...] = ()
    """The first few examples, output by output."""
    differences: tuple[tuple[str, float], ...] = ()
    """The largest absolute difference, output by output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleRequest:
    """A prediction request as a client may send it: a recorded one, that the server answered right."""

    signature: str
    path: str
    """``/v1/models/digits/versions/1:predict``."""
    body: str
    """JSON, cut off and ending in ``…`` where it is long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """The image that a smoke test ran, as the engine describes it."""

    id: str
    references: tuple[str, ...]
    """Tags, and references pinned by digest."""
    platform: str
    size: int
    """Bytes."""
    layers: tuple[str, ...]
    """Digests of the uncompressed layers, the lowest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One step of a smoke test: the last one of a test that failed is the one that failed."""

    name: str
    """``create``, ``start``, ``listen``, ``load``, ``metadata``, ``answers``, … in the order they ran."""
    seconds: float
    ok: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a server may cost; ``None`` and nothing where there is no limit."""

    cold_start_s: float | None = None
    """Seconds from the start to the first answer."""
    latency_ms: tuple[tuple[float, float], ...] = ()
    """Percentile and milliseconds, of single examples in a server that has answered before."""
    memory_bytes: int | None = None

    def __post_init__(self) -> None:
        for percent, _ in self.latency_ms:
            if not 0 < percent <= 100:
                raise UsageError(f"invalid percentile {percent:g}", hint="--max-latency p99=50ms")
        limits = [self.cold_start_s, self.memory_bytes, *(limit for _, limit in self.latency_ms)]
        if wrong := [limit for limit in limits if limit is not None and not limit > 0]:
            raise UsageError(f"invalid limit {wrong[0]:g}", hint="a limit is more than nothing")


NO_LIMITS = Budget()


def percentile(values: Iterable[float], percent: float) -> float:
    """Return the smallest of ``values`` that ``percent`` of them do not exceed; 0 where there are none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)] if ordered else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeReport:
    """What a running server answered, compared with what the source model answers."""

    target: str
    mode: str
    """``container`` or ``process``."""
    model_name: str
    version: int
    ready_s: float
    """Seconds from start to AVAILABLE."""
    probes: tuple[Probe, ...]
    tolerance: float
    phases: tuple[Phase, ...] = ()
    cold_start_s: float = 0.0
    """Seconds from start to the first right answer."""
    steady_ms: tuple[float, ...] = ()
    """Latencies of one request after the other for a single example, once all had been asked."""
    memory_bytes: int | None = None
    """What it used once all had been asked, files in the page cache aside; ``None`` where nothing tells."""
    signatures: tuple[Signature, ...] = ()
    """What the contract promises."""
    examples: tuple[ExampleRequest, ...] = ()
    """One request for each signature."""
    image: ImageFacts | None = None

    @property
    def max_difference(self) -> float:
        """Largest absolute difference from the recorded answers."""
        return max((probe.max_difference for probe in self.probes), default=0.0)

    @property
    def latency_ms(self) -> float:
        """Median latency of the requests."""
        ordered = sorted(probe.latency_ms for probe in self.probes)
        return ordered[len(ordered) // 2] if ordered else 0.0

    @property
    def steady_p50_ms(self) -> float:
        """The latency that half of the steady requests stay within."""
        return percentile(self.steady_ms, 50)

    @property
    def steady_p99_ms(self) -> float:
        """The latency that 99 % of the steady requests stay within."""
        return percentile(self.steady_ms, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeSettings:
    """How a smoke test is made."""

    version: int | None = None
    """The highest one where ``None``."""
    timeout: float = 120
    """Seconds for getting ready, and for each request."""
    tolerance: float = 1e-5
    """Absolute and relative."""
    port: int | None = None
    """A free one where ``None``."""
    memory: int | None = None
    """Bytes that a container may use."""
    gpus: int | None = None
    """How many GPUs a container gets; -1 are all."""
    budget: Budget = NO_LIMITS
    grpc: bool = True
    """Whether to ask over gRPC beside REST."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeOutcome:
    """How one smoke test ended, well or not."""

    target: str
    base: str | None
    """The base that the target was put on for the test, where it was."""
    phases: tuple[Phase, ...]
    """The last one is not ``ok`` where the test failed in it."""
    report: SmokeReport | None
    error: PackagerError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How a server is loaded."""

    seconds: float = 10
    concurrency: int = 4
    """Requests that may be under way at once."""
    batch: int = 1
    """Examples in a request."""
    protocol: str = "rest"
    """``rest`` or ``grpc``."""
    rate: float | None = None
    """Requests a second whatever the server does (open loop); ``None``: the next follows each answer."""

    def __post_init__(self) -> None:
        for name, value in (("--seconds", self.seconds), ("--rate", self.rate)):
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"invalid {name} {value:g}", hint=f"{name} 10")
        for name, count in (("--concurrency", self.concurrency), ("--batch", self.batch)):
            if count < 1:
                raise UsageError(f"invalid {name} {count}", hint=f"{name} 1")
        if self.protocol not in ("rest", "grpc"):
            raise UsageError(f"invalid --protocol {self.protocol!r}", hint="--protocol rest or grpc")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """How a server bore a load."""

    target: str
    mode: str
    """``container`` or ``process``."""
    load: Load
    seconds: float
    """How long it took, from the first request to the last answer."""
    answered: int
    """Requests answered without an error."""
    errors: tuple[tuple[str, int], ...]
    """What else came of requests, and how often."""
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    cpu_share: float | None
    """Processors that the server kept busy, ``None`` where nothing tells."""
    memory_bytes: int | None

    @property
    def requests_per_s(self) -> float:
        """Answered requests a second."""
        return self.answered / self.seconds if self.seconds else 0.0

    @property
    def examples_per_s(self) -> float:
        """Examples a second in answered requests."""
        return self.requests_per_s * self.load.batch


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


def to_json(value: Any) -> Any:
    """Turn a value or error into what ``json.dumps`` takes: fields and properties, paths as text."""
    if isinstance(value, ImageReference):
        return str(value)
    if isinstance(value, PackagerError):
        return {
            "class": type(value).__name__,
            "exit_code": value.exit_code,
            "message": value.message,
            "hint": value.hint,
            "details": value.details,
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        properties = [name for name, member in vars(type(value)).items() if isinstance(member, property)]
        names = [*(field.name for field in dataclasses.fields(value)), *properties]
        return {name: to_json(getattr(value, name)) for name in names}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # "nan", "inf": JSON has no such numbers
    if isinstance(value, dict):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(v) for v in value]
    return value
