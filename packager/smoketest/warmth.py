"""What warm-up is worth: the first request to a server that played records, and to one that did not."""

from __future__ import annotations

import time
from dataclasses import replace

from packager.contract import Sample
from packager.errors import SmokeError
from packager.smoketest.forms import forms_for
from packager.smoketest.running import Running
from packager.values import SmokeReport, WarmupEffect

NO_WARMUP = "--enable_model_warmup=false"
"""The server's flag with which it leaves the recorded requests alone."""


def with_warmup_effect(report: SmokeReport, cold: Running) -> SmokeReport:
    """Ask ``cold``, which has played nothing, what the smoke test asked first, and tell the difference."""
    ready = time.monotonic() - cold.server.started
    cold.rest.metadata()  # as before the smoke test's first request, so that both find a connection
    sample = _first(cold)
    body = forms_for(sample)[0].request(sample)
    began = time.perf_counter()
    cold.rest.predict(body)
    effect = WarmupEffect(
        first_ms=report.probes[0].latency_ms,
        first_ms_without=(time.perf_counter() - began) * 1000,
        ready_s=report.ready_s,
        ready_s_without=ready,
    )
    return replace(report, warmup=effect)


def _first(cold: Running) -> Sample:
    """Return the sample that a smoke test asks first."""
    for sample in cold.contract.samples if cold.contract else ():
        if forms_for(sample):
            return sample
    raise SmokeError("nothing to ask: the contract has no sample that REST can carry")
