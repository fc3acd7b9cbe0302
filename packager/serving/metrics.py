"""What the server counts and times, and the page that Prometheus reads it from.

Names, labels, buckets and layout are those of TensorFlow Serving (``servables/tensorflow/util.cc``,
``batching_session.cc``, ``prometheus_exporter.cc``) and of TensorFlow, as far as they can be seen from here.
The Prometheus client library cannot write them: it has every counter's name end in ``_total``, and adds
series of its own to histograms.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from packager.serving.status import Code

MAX_SERIES = 1000
"""How many series a metric has at most: clients choose the names in them. What is more is not kept."""

LATENCY_BUCKETS = tuple(10 * 1.8**i for i in range(33))
"""Upper limits in microseconds, up to about 20 minutes."""
COUNT_BUCKETS = tuple(float(2**i) for i in range(15))
SIZE_BUCKETS = tuple(float(2**i) for i in range(14))
QUEUING_BUCKETS = tuple(100 * 1.2**i for i in range(52))
"""Upper limits in microseconds, up to about a second."""
GRAPH_BUCKETS = tuple(1000.0 * 2**i for i in range(20))
"""Upper limits in microseconds, up to about 9 minutes."""

_RUNTIME = "TF1"
"""What TensorFlow Serving calls sessions, as opposed to TensorFlow's newer runtime."""
_POOL = ""
"""The name that sessions which batch have for the threads they share."""


@dataclass(slots=True)
class _Histogram:
    buckets: list[int]
    """How many values are in each bucket; the last one has no upper limit."""
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class _Metric:
    """A counter, or with ``limits`` a histogram. Its series are told apart by the values of their labels."""

    name: str
    labels: tuple[str, ...]
    limits: tuple[float, ...] = ()
    series: dict[tuple[str, ...], _Histogram] = field(default_factory=dict)

    def add(self, labels: tuple[str, ...], value: float) -> None:
        """Count ``value`` more, or put it into its bucket."""
        series = self.series.get(labels)
        if series is None:
            if len(self.series) >= MAX_SERIES:
                return
            series = self.series[labels] = _Histogram([0] * (len(self.limits) + 1))
        # A value that is a limit belongs above it, as in TensorFlow's histograms
        series.buckets[bisect_right(self.limits, value) if self.limits else 0] += 1
        series.total += value

    def lines(self) -> Iterator[str]:
        """Write the metric as ``text/plain`` for Prometheus."""
        yield f"# TYPE {self.name} {'histogram' if self.limits else 'counter'}"
        for values, series in sorted(self.series.items()):
            labels = [f'{name}="{_escaped(value)}"' for name, value in zip(self.labels, values, strict=True)]
            if self.limits:
                yield from self._histogram_lines(labels, series)
            else:
                yield f"{self.name}{{{','.join(labels)}}} {series.total:.0f}"

    def _histogram_lines(self, labels: Sequence[str], series: _Histogram) -> Iterator[str]:
        limits = [*(f"{limit:g}" for limit in self.limits), "+Inf"]
        for limit, count in zip(limits, accumulate(series.buckets), strict=True):
            bucket = ",".join([*labels, f'le="{limit}"'])
            yield f"{self.name}_bucket{{{bucket}}} {count}"
        yield f"{self.name}_sum{{{','.join(labels)}}} {series.total:g}"
        yield f"{self.name}_count{{{','.join(labels)}}} {sum(series.buckets)}"


class Metrics:
    """All metrics of the server. May be used by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        serving = ":tensorflow:serving:"
        self._requests = _Metric(f"{serving}request_count", ("model_name", "status"))
        self._examples = _Metric(f"{serving}request_example_count_total", ("model",))
        self._example_counts = _Metric(f"{serving}request_example_counts", ("model",), COUNT_BUCKETS)
        self._request_latency = _Metric(
            f"{serving}request_latency", ("model_name", "API", "entrypoint"), LATENCY_BUCKETS
        )
        self._runtime_latency = _Metric(
            f"{serving}runtime_latency", ("model_name", "API", "runtime"), LATENCY_BUCKETS
        )
        self._warmups = _Metric(f"{serving}model_warmup_latency", ("model_path", "status"), LATENCY_BUCKETS)
        batching = f"{serving}batching_session:"
        self._queuing = _Metric(f"{batching}queuing_latency", ("thread_pool_name",), QUEUING_BUCKETS)
        self._batches = _Metric(f"{batching}wrapped_run_count", ())
        self._input_sizes = _Metric(f"{batching}input_batch_size", (), SIZE_BUCKETS)
        self._batch_sizes = _Metric(f"{batching}processed_batch_size", (), SIZE_BUCKETS)
        self._paddings = _Metric(f"{batching}padding_size", ("execution_batch_size",), SIZE_BUCKETS)
        self._loads = _Metric(":tensorflow:cc:saved_model:load_attempt_count", ("model_path", "status"))
        self._load_time = _Metric(":tensorflow:cc:saved_model:load_latency", ("model_path",))
        self._graph_runs = _Metric(":tensorflow:core:graph_runs", ())
        self._graph_time = _Metric(":tensorflow:core:graph_run_time_usecs", ())
        self._graph_times = _Metric(":tensorflow:core:graph_run_time_usecs_histogram", (), GRAPH_BUCKETS)

    def note_request(self, model: str, api: str, entrypoint: str, code: Code, seconds: float) -> None:
        """Count a request by how it ended; only those that were answered are timed."""
        with self._lock:
            self._requests.add((model, code.name), 1)
            if code is Code.OK:
                self._request_latency.add((model, api, entrypoint), _microseconds(seconds))

    def note_run(self, model: str, api: str, seconds: float) -> None:
        """Note how long TensorFlow took for a request."""
        with self._lock:
            self._runtime_latency.add((model, api, _RUNTIME), _microseconds(seconds))

    def note_examples(self, model: str, count: int) -> None:
        """Note how many examples a request had."""
        with self._lock:
            self._examples.add((model,), count)
            self._example_counts.add((model,), count)

    def note_graph_run(self, seconds: float) -> None:
        """Note a run of a graph, for one request or for a batch of them."""
        with self._lock:
            self._graph_runs.add((), 1)
            self._graph_time.add((), _microseconds(seconds))
            self._graph_times.add((), _microseconds(seconds))

    def note_load(self, folder: str, seconds: float, *, loaded: bool) -> None:
        """Note an attempt to load a SavedModel; only one that succeeds is timed."""
        with self._lock:
            self._loads.add((folder, "success" if loaded else "fail"), 1)
            if loaded:
                self._load_time.add((folder,), _microseconds(seconds))

    def note_warmup(self, folder: str, seconds: float) -> None:
        """Note how long the recorded requests of a version took."""
        with self._lock:
            self._warmups.add((folder, Code.OK.name), _microseconds(seconds))

    def note_batched_inputs(self, count: int, size: int) -> None:
        """Note a request that is to be batched: how many tensors it has, of how many rows each."""
        with self._lock:
            for _ in range(count):
                self._input_sizes.add((), size)

    def note_batch(self, waited: Sequence[float], *, padding: int, size: int) -> None:
        """Note a batch: how many seconds each of its parts waited, and what it was padded by and to."""
        with self._lock:
            for seconds in waited:
                self._queuing.add((_POOL,), _microseconds(seconds))
            self._paddings.add((str(size),), padding)
            self._batch_sizes.add((), size)
            self._batches.add((), 1)

    def page(self) -> bytes:
        """Return everything as Prometheus reads it, in the order of names."""
        metrics = [metric for metric in vars(self).values() if isinstance(metric, _Metric)]
        with self._lock:
            lines = [line for metric in sorted(metrics, key=_name) for line in metric.lines()]
        return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _name(metric: _Metric) -> str:
    return metric.name


def _microseconds(seconds: float) -> int:
    return int(seconds * 1e6)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
