"""Puts load on targets: runs each as a smoke test does, and measures how it bears what it is asked."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import replace

from packager.contract import Sample
from packager.errors import RequestError, SmokeError
from packager.pipeline import PathLike
from packager.progress import Report, say, silent
from packager.smoketest import (
    Running,
    Send,
    over_grpc,
    over_rest,
    put_load,
    sample_of,
)
from packager.testing import serving
from packager.values import Load, LoadResult, percentile

_WARM_UP = 0.1
"""Share of the time for which requests are sent before any is counted."""


def bench(
    target: PathLike,
    load: Load,
    *,
    version: int | None = None,
    timeout: float = 120,
    report: Report = silent,
) -> LoadResult:
    """Run ``target``, an image reference or a model folder, under ``load``, and tell how it bore it.

    The requests are made of examples that were recorded at conversion. ``timeout`` is in seconds, for
    getting ready and for each request. Raises what ``pipeline.smoke`` raises before it asks anything.
    """
    with serving(target, version=version, timeout=timeout, report=report) as running:
        if running.contract is None:
            raise SmokeError(
                f"no contract in {os.fspath(target)!r}, so nothing tells what to ask",
                hint="packager convert FILE --name NAME records one",
            )
        sample = sample_of(running.contract.samples, load.batch)
        with _sender(running, sample, load, timeout=timeout) as send:
            say(report, f"warming {os.fspath(target)} up")
            put_load(send, replace(load, seconds=load.seconds * _WARM_UP))
            say(report, f"putting load on {os.fspath(target)}")
            before = running.server.usage()
            tally = put_load(send, load)
            after = running.server.usage()
    busy = None if before is None or after is None else after.cpu_s - before.cpu_s
    return LoadResult(
        target=os.fspath(target),
        mode=running.server.mode,
        load=load,
        seconds=tally.seconds,
        answered=len(tally.latencies_ms),
        errors=tuple(tally.errors.most_common()),
        p50_ms=percentile(tally.latencies_ms, 50),
        p90_ms=percentile(tally.latencies_ms, 90),
        p99_ms=percentile(tally.latencies_ms, 99),
        max_ms=max(tally.latencies_ms, default=0.0),
        cpu_share=None if busy is None else busy / tally.seconds,
        memory_bytes=None if after is None else after.memory_bytes,
    )


def _sender(running: Running, sample: Sample, load: Load, *, timeout: float) -> AbstractContextManager[Send]:
    if load.protocol == "rest":
        return over_rest(f"{running.url}:predict", sample, connections=load.concurrency, timeout=timeout)
    address = running.server.grpc_address()
    if address is None:
        raise RequestError("the server serves no gRPC", hint="packager bench TARGET --protocol rest")
    return over_grpc(address, sample, model=running.model, version=running.version, timeout=timeout)
