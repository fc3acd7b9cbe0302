"""Example requests as clients send them, one set for each signature, with the answers that were recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from packager.contract.examples import example_json
from packager.contract.prototext import examples_text, predict_text
from packager.contract.samples import Arrays, Sample, columns, is_finite, readable, rows
from packager.values import Signature

LIMIT = 16_384
"""Characters of a request or an answer that a contract holds; an image's tensor would be megabytes."""

DEFAULT_KEY = "serving_default"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleCall:
    """A recorded request to a signature in every form that can carry it, and the answers over REST.

    A form is ``None`` where it cannot carry the request, or where it would be longer than a contract holds.
    """

    signature: str
    interface: str
    """``predict``, ``classify`` or ``regress``: the last part of the request's path."""
    row: dict[str, Any] | None = None
    """Body with ``instances``, or with ``examples`` for classify and regress."""
    row_answer: dict[str, Any] | None = None
    columnar: dict[str, Any] | None = None
    """Body with ``inputs``."""
    columnar_answer: dict[str, Any] | None = None
    grpc: str | None = None
    """The request message in protobuf's text form."""


def interface_of(method: str) -> str:
    """Return the interface of a signature's method: ``tensorflow/serving/classify`` is ``classify``."""
    name = method.rpartition("/")[2]
    return name if name in ("classify", "regress") else "predict"


def example_calls(
    signatures: Iterable[Signature], samples: Sequence[Sample], model: str, *, limit: int | None = LIMIT
) -> tuple[ExampleCall, ...]:
    """Return the smallest recorded request for each signature; ``limit`` is in characters."""
    found = []
    for signature in signatures:
        fitting = [sample for sample in samples if sample.signature == signature.key]
        if fitting:
            smallest = min(fitting, key=lambda sample: sample.batch)
            found.append(_call(smallest, interface_of(signature.method), model, limit))
    return tuple(found)


def _call(sample: Sample, interface: str, model: str, limit: int | None) -> ExampleCall:
    def short(document: Any) -> Any:
        if document is None or limit is None:
            return document
        text = document if isinstance(document, str) else json.dumps(document)
        return document if len(text) <= limit else None

    if interface != "predict":
        return ExampleCall(
            signature=sample.signature,
            interface=interface,
            row=short(_body(sample, "examples", list(map(example_json, _only(sample))))),
            row_answer=short(_results(sample, interface)),
            grpc=short(examples_text(sample, model)),
        )
    row = columnar = row_answer = columnar_answer = None
    fits, known = _may_fit(sample.inputs, limit), _may_fit(sample.outputs, limit)
    if sample.in_rows:
        row = _body(sample, "instances", rows(sample.inputs, readable)) if fits else None
        row_answer = _answer("predictions", sample, collapsed=_collapsed_rows) if known else None
    if sample.in_json:
        columnar = _body(sample, "inputs", columns(sample.inputs, readable)) if fits else None
        columnar_answer = _answer("outputs", sample, collapsed=_collapsed_columns) if known else None
    return ExampleCall(
        signature=sample.signature,
        interface=interface,
        row=short(row),
        row_answer=short(row_answer),
        columnar=short(columnar),
        columnar_answer=short(columnar_answer),
        grpc=short(predict_text(sample, model)) if fits else None,
    )


def _may_fit(arrays: Arrays, limit: int | None) -> bool:
    """Tell whether writing the arrays out is worth a try: each value is a digit and a comma at least."""
    return limit is None or 2 * sum(array.size for array in arrays.values()) <= limit


def _body(sample: Sample, key: str, content: Any) -> dict[str, Any]:
    named = {} if sample.signature == DEFAULT_KEY else {"signature_name": sample.signature}
    return {**named, key: content}


def _collapsed_rows(sample: Sample) -> Any:
    found = rows(sample.outputs, readable)
    return [next(iter(row.values())) for row in found] if len(sample.outputs) == 1 else found


def _collapsed_columns(sample: Sample) -> Any:
    found = columns(sample.outputs, readable)
    return next(iter(found.values())) if len(found) == 1 else found


def _answer(key: str, sample: Sample, *, collapsed: Any) -> dict[str, Any] | None:
    """Return the answer as a server writes it: a single output goes without its name."""
    return {key: collapsed(sample)} if is_finite(sample.outputs) else None


def _only(sample: Sample) -> list[bytes]:
    (array,) = sample.inputs.values()
    found: list[bytes] = array.tolist()
    return found


def _results(sample: Sample, interface: str) -> dict[str, Any] | None:
    if not is_finite(sample.outputs):
        return None
    if interface == "regress":
        return {"results": readable("", next(iter(sample.outputs.values())))}
    scores = readable("scores", sample.outputs["scores"])
    labels = readable("classes", sample.outputs["classes"]) if "classes" in sample.outputs else None
    return {
        "results": [
            [[labels[i][j] if labels else "", score] for j, score in enumerate(row)]
            for i, row in enumerate(scores)
        ]
    }
