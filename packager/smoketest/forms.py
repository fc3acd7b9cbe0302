"""The two JSON forms of a prediction request, and how each one's answer falls apart into outputs.

Row form lists examples (``instances`` → ``predictions``), columnar form gives whole tensors (``inputs``
→ ``outputs``). Where a signature has a single output, its name is left out of the answer.
https://www.tensorflow.org/tfx/serving/api_rest
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packager.contract import Sample
from packager.contract.samples import b64, columns, rows
from packager.errors import RequestError, WrongAnswerError
from packager.smoketest.diagnosis import OTHER_MODEL
from packager.values import ExampleRequest

_EXAMPLE_LENGTH = 2000
"""Characters of a request that is shown; the whole of an image's would be megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One way to put a sample into JSON and to read the answer."""

    name: str
    payload: Callable[[Sample], dict[str, Any]]
    answer_key: str
    columns: Callable[[Any, tuple[str, ...]], Mapping[str, Any]]

    def request(self, sample: Sample) -> bytes:
        """Return the body of a request that sends the inputs of ``sample``."""
        body = {"signature_name": sample.signature, **self.payload(sample)}
        return json.dumps(body, default=b64).encode()

    def outputs(self, document: Any, sample: Sample) -> Mapping[str, Any]:
        """Return the answered values by output; raise WrongAnswerError where the outputs are others."""
        if not isinstance(document, dict) or self.answer_key not in document:
            raise RequestError(f"the answer has no {self.answer_key!r}: {json.dumps(document)[:200]}")
        return self.columns(document[self.answer_key], tuple(sorted(sample.outputs)))


def forms_for(sample: Sample) -> tuple[Form, ...]:
    """Return the forms that ``sample`` can be asked in: none where JSON cannot carry its types.

    Row form needs the batch in every input and output.
    """
    if not sample.in_json:
        return ()
    return (ROW, COLUMNAR) if sample.in_rows else (COLUMNAR,)


def example_requests(samples: Iterable[Sample], path: str) -> tuple[ExampleRequest, ...]:
    """Return the smallest request for each signature, in row form where that can be, to send to ``path``."""
    smallest: dict[str, Sample] = {}
    for sample in sorted(samples, key=lambda sample: sample.batch):
        if forms_for(sample):
            smallest.setdefault(sample.signature, sample)
    return tuple(
        ExampleRequest(
            signature=key, path=path, body=_shortened(forms_for(sample)[0].request(sample).decode())
        )
        for key, sample in smallest.items()
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _EXAMPLE_LENGTH else f"{text[:_EXAMPLE_LENGTH]} …"


def _instances(sample: Sample) -> dict[str, Any]:
    return {"instances": rows(sample.inputs)}


def _inputs(sample: Sample) -> dict[str, Any]:
    return {"inputs": columns(sample.inputs)}


def _from_rows(predictions: Any, names: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(predictions, list):
        raise RequestError(f"the answer's predictions are no list: {json.dumps(predictions)[:200]}")
    if len(names) == 1 and not any(_names_outputs(row) for row in predictions):
        return {names[0]: predictions}
    for row in predictions:
        _check_names(row.keys() if isinstance(row, dict) else (), names)
    return {name: [row[name] for row in predictions] for name in names}


def _from_columns(outputs: Any, names: tuple[str, ...]) -> Mapping[str, Any]:
    if len(names) == 1 and not _names_outputs(outputs):
        return {names[0]: outputs}
    columns = outputs if isinstance(outputs, dict) else {}
    _check_names(columns.keys(), names)
    return columns


def _names_outputs(value: Any) -> bool:
    """Whether an object names outputs, rather than being the ``{"b64": …}`` that bytes are written as."""
    return isinstance(value, dict) and value.keys() != {"b64"}


def _check_names(answered: Iterable[str], recorded: tuple[str, ...]) -> None:
    if set(answered) != set(recorded):
        raise WrongAnswerError(
            f"the server answers with {_listed(answered)}, the source model with {_listed(recorded)}",
            hint=OTHER_MODEL,
        )


def _listed(names: Iterable[str]) -> str:
    quoted = ", ".join(repr(name) for name in sorted(names))
    return f"outputs {quoted}" if quoted else "a nameless output"


ROW = Form(name="row", payload=_instances, answer_key="predictions", columns=_from_rows)
COLUMNAR = Form(name="columnar", payload=_inputs, answer_key="outputs", columns=_from_columns)
