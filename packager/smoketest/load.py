"""Puts a server under load and measures how it bears it, over connections that stay open.

In a closed loop each client sends its next request when the last one was answered. In an open loop requests
are due at a fixed rate, and a latency counts from when its request was due: a server that stalls cannot hide
it by keeping clients from asking.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import urllib3

from packager.contract import Sample
from packager.errors import SmokeError
from packager.smoketest.forms import forms_for
from packager.smoketest.grpc_model import grpc_model
from packager.values import Load


@dataclass(slots=True)
class Tally:
    """What came of the requests of a load."""

    latencies_ms: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


Send = Callable[[], str | None]
"""Sends a request and returns what went wrong, ``None`` where it was answered."""


def put_load(send: Send, load: Load) -> Tally:
    """Call ``send`` again and again as ``load`` says, and count what comes of it."""
    schedule = _Schedule(seconds=load.seconds, rate=load.rate)
    with ThreadPoolExecutor(load.concurrency) as clients:
        running = [clients.submit(_ask, send, schedule) for _ in range(load.concurrency)]
        tallies = [client.result() for client in running]
    return Tally(
        latencies_ms=[latency for tally in tallies for latency in tally.latencies_ms],
        errors=sum((tally.errors for tally in tallies), Counter()),
        seconds=time.perf_counter() - schedule.began,
    )


@contextmanager
def over_rest(url: str, sample: Sample, *, connections: int, timeout: float) -> Iterator[Send]:
    """Give what sends ``sample`` to ``url`` over one of so many connections."""
    body = forms_for(sample)[0].request(sample)
    with urllib3.PoolManager(maxsize=connections, retries=False, timeout=timeout) as pool:

        def send() -> str | None:
            try:
                status = pool.request("POST", url, body=body).status
            except urllib3.exceptions.HTTPError as error:
                return type(error).__name__
            return None if status == 200 else f"HTTP {status}"

        yield send


@contextmanager
def over_grpc(address: str, sample: Sample, *, model: str, version: int, timeout: float) -> Iterator[Send]:
    """Give what sends ``sample`` to the gRPC server at ``address``, over one connection as clients do."""
    with grpc_model(address, model=model, version=version, timeout=timeout) as asked:
        yield partial(asked.send, asked.request(sample))


def sample_of(samples: Sequence[Sample], batch: int) -> Sample:
    """Return ``batch`` recorded examples of the first signature that REST can carry, without their answers.

    Examples repeat where fewer were recorded.
    """
    askable = [sample for sample in samples if forms_for(sample)]
    if not askable:
        raise SmokeError(
            "the contract has no sample that REST can carry",
            hint="packager convert FILE --name NAME --force records samples",
        )
    first = askable[0]
    recorded = [sample.inputs for sample in askable if _fit(sample, first)]
    inputs = {name: np.concatenate([arrays[name] for arrays in recorded]) for name in first.inputs}
    return Sample(
        signature=first.signature,
        inputs={
            name: np.take(array, np.arange(batch) % len(array), axis=0) for name, array in inputs.items()
        },
        outputs={},
    )


def _fit(sample: Sample, other: Sample) -> bool:
    """Whether examples of both can be put into one request."""
    return sample.signature == other.signature and all(
        array.shape[1:] == other.inputs[name].shape[1:] for name, array in sample.inputs.items()
    )


def _ask(send: Send, schedule: _Schedule) -> Tally:
    tally = Tally()
    while (due := schedule.wait()) is not None:
        if wrong := send():
            tally.errors[wrong] += 1
        else:
            tally.latencies_ms.append((time.perf_counter() - due) * 1000)
    return tally


class _Schedule:
    """When requests are due, for all clients together."""

    def __init__(self, *, seconds: float, rate: float | None) -> None:
        self.began = time.perf_counter()
        self._end = self.began + seconds
        self._interval = None if rate is None else 1 / rate
        self._sent = 0
        self._lock = threading.Lock()

    def wait(self) -> float | None:
        """Wait until a request is due, and return when it was; ``None`` once the time is over."""
        if self._interval is None:
            now = time.perf_counter()
            return now if now < self._end else None
        with self._lock:
            due = self.began + self._sent * self._interval
            self._sent += 1
        if due >= self._end:
            return None
        time.sleep(max(0.0, due - time.perf_counter()))
        return due
