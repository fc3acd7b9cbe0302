"""Measures how fast a server answers that has answered before."""

from __future__ import annotations

import time

from packager.contract import Sample
from packager.smoketest.forms import forms_for
from packager.smoketest.rest import RestModel

REQUESTS = 100
SECONDS = 2.0
"""No new request is sent after so long."""


def steady_latencies(rest: RestModel, samples: tuple[Sample, ...]) -> tuple[float, ...]:
    """Ask the smallest sample again and again, one request after the other; return milliseconds.

    Raises RequestError where one is refused.
    """
    smallest = min((sample for sample in samples if forms_for(sample)), key=lambda sample: sample.batch)
    body = forms_for(smallest)[0].request(smallest)
    latencies: list[float] = []
    deadline = time.perf_counter() + SECONDS
    while len(latencies) < REQUESTS and time.perf_counter() < deadline:
        started = time.perf_counter()
        rest.predict(body)
        latencies.append((time.perf_counter() - started) * 1000)
    return tuple(latencies)
