"""Asks a running version every recorded sample, and judges each answer."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from packager.contract import Sample
from packager.errors import RequestError, SmokeError, WrongAnswerError
from packager.progress import Report, say, silent, warn
from packager.smoketest.comparison import compare, decode
from packager.smoketest.forms import Form, forms_for
from packager.smoketest.rest import RestModel
from packager.values import Prediction, Probe

SHOWN_EXAMPLES = 5
SHOWN_VALUES = 10


def probe(
    rest: RestModel, samples: tuple[Sample, ...], *, tolerance: float, report: Report = silent
) -> tuple[Probe, ...]:
    """Ask ``rest`` every sample in every form that can carry it.

    Raises RequestError or WrongAnswerError at the first one that fails, SmokeError where nothing was asked.
    """
    requests = [(sample, form) for sample in samples for form in forms_for(sample)]
    if not requests:
        raise SmokeError(
            "nothing was asked: the contract has no sample that REST can carry",
            hint="convert the model again, which records samples: packager convert FILE --name NAME --force",
        )
    for sample in samples:
        if not forms_for(sample):
            warn(report, f"a sample of {sample.signature!r} has types that REST cannot carry: not asked")
    probes = []
    for done, (sample, form) in enumerate(requests):
        say(report, f"asking {_described(sample, form)}", done=done, total=len(requests))
        probes.append(_probe(rest, sample, form, tolerance))
    return tuple(probes)


def _probe(rest: RestModel, sample: Sample, form: Form, tolerance: float) -> Probe:
    body = form.request(sample)
    with _told_while(_described(sample, form)):
        started = time.perf_counter()
        document = rest.predict(body)
        latency = time.perf_counter() - started
        outputs = form.outputs(document, sample)
        differences = {
            name: compare(name, recorded, outputs[name], tolerance=tolerance)
            for name, recorded in sample.outputs.items()
        }
    return Probe(
        signature=sample.signature,
        form=form.name,
        batch=sample.batch,
        latency_ms=latency * 1000,
        max_difference=max(differences.values(), default=0.0),
        predictions=tuple(_predictions(sample, outputs)),
        differences=tuple(differences.items()),
    )


def _described(sample: Sample, form: Form) -> str:
    return f"{sample.signature!r} in {form.name} form, batch {sample.batch}"


@contextmanager
def _told_while(asking: str) -> Iterator[None]:
    """Say in the error's message which request it was."""
    try:
        yield
    except (RequestError, WrongAnswerError) as error:
        error.message = f"{asking}: {error.message}"
        raise


def _predictions(sample: Sample, outputs: Mapping[str, Any]) -> Iterator[Prediction]:
    """Yield the first examples of every output that has the batch first."""
    for name, recorded in sample.outputs.items():
        if recorded.ndim > 0 and recorded.shape[0] == sample.batch:
            for example, value in enumerate(outputs[name][:SHOWN_EXAMPLES]):
                cells = [decode(cell) for cell in np.array(value, dtype=object).ravel()]
                yield Prediction(output=name, example=example, size=len(cells), values=_largest(cells))


def _largest(cells: list[Any]) -> tuple[tuple[int, float | str], ...]:
    """Return the largest numbers with their places, or the first texts with theirs."""
    if any(isinstance(cell, bytes) for cell in cells):
        texts = [cell.decode("utf-8", "replace") for cell in cells[:SHOWN_VALUES]]
        return tuple(enumerate(texts))
    order = sorted(
        range(len(cells)), key=lambda i: -math.inf if cells[i] != cells[i] else cells[i], reverse=True
    )
    return tuple((i, cells[i]) for i in order[:SHOWN_VALUES])
