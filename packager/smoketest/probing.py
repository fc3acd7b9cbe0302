"""Asks a running version every recorded sample, and judges each answer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from packager.contract import Sample
from packager.errors import RequestError, SmokeError, WrongAnswerError
from packager.progress import Report, say, silent, warn
from packager.smoketest.comparison import compare, decode
from packager.smoketest.forms import Form, forms_for
from packager.smoketest.grpc_model import GrpcModel, can_carry, check_types
from packager.smoketest.rest import RestModel
from packager.values import Prediction, Probe

SHOWN_EXAMPLES = 5
SHOWN_VALUES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A sample and one way to ask it."""

    sample: Sample
    form: str
    """``row`` or ``columnar`` over REST, or ``grpc``."""
    prepare: Callable[[], Callable[[], Mapping[str, Any]]]
    """Makes the request, and returns what sends it and returns the answered values by output."""

    def __str__(self) -> str:
        way = "over gRPC" if self.form == "grpc" else f"in {self.form} form"
        return f"{self.sample.signature!r} {way}, batch {self.sample.batch}"


def probe(
    rest: RestModel,
    samples: tuple[Sample, ...],
    *,
    tolerance: float,
    grpc: GrpcModel | None = None,
    report: Report = silent,
) -> tuple[Probe, ...]:
    """Ask every sample in every way that can carry it: ``rest`` in both forms, and ``grpc``.

    Raises RequestError or WrongAnswerError at the first one that fails, SmokeError where nothing was asked.
    """
    questions = [question for sample in samples for question in _questions(sample, rest, grpc)]
    if not questions:
        raise SmokeError(
            "nothing was asked: the contract has no sample that REST can carry",
            hint="convert the model again, which records samples: packager convert FILE --name NAME --force",
        )
    for sample in samples:
        if not forms_for(sample):
            warn(
                report, f"a sample of {sample.signature!r} has types that REST cannot carry: not asked there"
            )
    probes = []
    for done, question in enumerate(questions):
        say(report, f"asking {question}", done=done, total=len(questions))
        probes.append(_probe(question, tolerance))
    return tuple(probes)


def _questions(sample: Sample, rest: RestModel, grpc: GrpcModel | None) -> Iterator[Question]:
    for form in forms_for(sample):
        yield Question(sample=sample, form=form.name, prepare=partial(_over_rest, rest, form, sample))
    if grpc is not None and can_carry(sample):
        yield Question(sample=sample, form="grpc", prepare=partial(_over_grpc, grpc, sample))


def _over_rest(rest: RestModel, form: Form, sample: Sample) -> Callable[[], Mapping[str, Any]]:
    body = form.request(sample)
    return lambda: form.outputs(rest.predict(body), sample)


def _over_grpc(grpc: GrpcModel, sample: Sample) -> Callable[[], Mapping[str, Any]]:
    request = grpc.request(sample)

    def send() -> Mapping[str, Any]:
        outputs = grpc.predict(request)
        check_types(sample, outputs)
        return {name: array.tolist() for name, array in outputs.items()}

    return send


def _probe(question: Question, tolerance: float) -> Probe:
    sample = question.sample
    with _told_while(str(question)):
        send = question.prepare()
        started = time.perf_counter()
        outputs = send()
        latency = time.perf_counter() - started
        differences = {
            name: compare(name, recorded, outputs[name], tolerance=tolerance)
            for name, recorded in sample.outputs.items()
        }
    return Probe(
        signature=sample.signature,
        form=question.form,
        batch=sample.batch,
        latency_ms=latency * 1000,
        max_difference=max(differences.values(), default=0.0),
        predictions=tuple(_predictions(sample, outputs)),
        differences=tuple(differences.items()),
    )


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
