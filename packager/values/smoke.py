"""What running servers answered, and how fast."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from packager.errors import PackagerError, UsageError
from packager.values.models import Signature


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
class WarmupEffect:
    """What the recorded warm-up requests are worth: the same first request, with them played and without."""

    first_ms: float
    """Latency of the first request to a server that has played them."""
    first_ms_without: float
    ready_s: float
    """Seconds from start to AVAILABLE, in which they were played."""
    ready_s_without: float


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
    warmup: WarmupEffect | None = None
    """Where it was asked for."""

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

    model: str | None = None
    """Which one, of an image with several."""
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
    compare_warmup: bool = False
    """Whether to start the server once more, without its warm-up, and compare the first request."""


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
