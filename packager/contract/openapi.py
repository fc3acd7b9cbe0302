"""The OpenAPI 3.1 document of a model's REST interface, which TensorFlow Serving's paths and forms give.

https://www.tensorflow.org/tfx/serving/api_rest, https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from packager.contract.calls import DEFAULT_KEY, ExampleCall, interface_of
from packager.contract.schemas import row_of, tensor, value_of
from packager.values import Signature, TensorSpec

Json = dict[str, Any]

SERVER = "http://localhost:8501"

_ERROR_REF = {"$ref": "#/components/responses/Error"}
_FORMS = (("instances", "predictions"), ("inputs", "outputs"))
"""The keys of requests and answers, in row form and in columnar form."""


def openapi_document(
    model: str,
    version: int | None,
    signatures: Sequence[Signature],
    calls: Sequence[ExampleCall],
    *,
    server: str = SERVER,
) -> Json:
    """Return the document: the model's status and metadata, and a path for each interface that it has."""
    path = f"/v1/models/{quote(model, safe='')}"
    examples = {call.signature: call for call in calls}
    asked: dict[str, list[Signature]] = {}
    for signature in signatures:
        asked.setdefault(interface_of(signature.method), []).append(signature)
    schemas: dict[str, Json] = {}
    paths = {path: {"get": _STATUS}, f"{path}/metadata": {"get": _METADATA}}
    for interface, offered in asked.items():
        paths[f"{path}:{interface}"] = {"post": _operation(interface, offered, examples, schemas)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": model,
            "version": "1" if version is None else str(version),
            "description": f"Predictions of the model {model!r}, by TensorFlow Serving's REST interface.",
        },
        "servers": [{"url": server}],
        "paths": paths,
        "components": {"schemas": {**schemas, **_SCHEMAS}, "responses": {"Error": _ERROR}},
    }


def _operation(
    interface: str,
    signatures: Sequence[Signature],
    examples: Mapping[str, ExampleCall],
    schemas: dict[str, Json],
) -> Json:
    requests, answers = [], []
    for signature in signatures:
        describe = _predict_schemas if interface == "predict" else _examples_schemas
        for name, request, answer in describe(signature):
            schemas[f"{name}.request"], schemas[f"{name}.answer"] = request, answer
            requests.append({"$ref": f"#/components/schemas/{name}.request"})
            answers.append({"$ref": f"#/components/schemas/{name}.answer"})
    calls = [examples[signature.key] for signature in signatures if signature.key in examples]
    return {
        "operationId": interface,
        "summary": f"Ask the model to {interface}.",
        "requestBody": {"required": True, "content": _content(requests, _request_examples(calls))},
        "responses": {
            "200": {"description": "The answer.", "content": _content(answers, _answer_examples(calls))},
            "400": _ERROR_REF,
            "404": _ERROR_REF,
            "default": _ERROR_REF,
        },
    }


def _content(schemas: Sequence[Json], examples: Json) -> Json:
    media: Json = {"schema": {"anyOf": list(schemas)}}
    return {"application/json": {**media, "examples": examples} if examples else media}


def _request_examples(calls: Sequence[ExampleCall]) -> Json:
    forms = ((call, form, body) for call in calls for form, body in _bodies(call))
    return {f"{_plain(call.signature)}.{form}": {"value": body} for call, form, body in forms}


def _bodies(call: ExampleCall) -> Iterator[tuple[str, Json]]:
    yield from ((form, body) for form, body in (("row", call.row), ("columnar", call.columnar)) if body)


def _answer_examples(calls: Sequence[ExampleCall]) -> Json:
    return {
        f"{_plain(call.signature)}.{form}": {"value": answer}
        for call in calls
        for form, answer in (("row", call.row_answer), ("columnar", call.columnar_answer))
        if answer
    }


def _predict_schemas(signature: Signature) -> Iterator[tuple[str, Json, Json]]:
    tensors = [*signature.inputs, *signature.outputs]
    if all(spec.shape for spec in tensors):  # row form needs the batch in every tensor
        request, answer = _FORMS[0]
        instances = {"type": "array", "minItems": 1, "items": _named(signature.inputs, row_of, bare=True)}
        predictions = {"type": "array", "items": _collapsed(signature.outputs, row_of)}
        yield (
            f"{_plain(signature.key)}.row",
            _request(signature, request, instances),
            _object({answer: predictions}),
        )
    request, answer = _FORMS[1]
    yield (
        f"{_plain(signature.key)}.columnar",
        _request(signature, request, _named(signature.inputs, tensor, bare=True)),
        _object({answer: _collapsed(signature.outputs, tensor)}),
    )


def _examples_schemas(signature: Signature) -> Iterator[tuple[str, Json, Json]]:
    """Yield what classify and regress take and give; the features of examples are in no signature."""
    value = {"anyOf": [{"type": ["number", "string"]}, {"$ref": "#/components/schemas/Bytes"}]}
    feature = {"anyOf": [value, {"type": "array", "items": value}]}
    listed = {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": feature}}
    request = _request(signature, "examples", listed)
    request["properties"]["context"] = {"type": "object", "additionalProperties": feature}
    pair = {
        "type": "array",
        "prefixItems": [{"type": "string"}, {"type": "number"}],
        "minItems": 2,
        "maxItems": 2,
    }
    regress = interface_of(signature.method) == "regress"
    result: Json = {"type": "number"} if regress else {"type": "array", "items": pair}
    yield _plain(signature.key), request, _object({"results": {"type": "array", "items": result}})


def _request(signature: Signature, key: str, content: Json) -> Json:
    needed = [key] if signature.key == DEFAULT_KEY else ["signature_name", key]
    return {
        "type": "object",
        "properties": {"signature_name": {"const": signature.key}, key: content},
        "required": needed,
    }


def _named(specs: Sequence[TensorSpec], schema: Any, *, bare: bool) -> Json:
    """Return the schema of all tensors by name; a single one may come without its name."""
    named = _object({spec.name: schema(spec) for spec in specs})
    named["additionalProperties"] = False
    return {"anyOf": [named, schema(specs[0])]} if bare and len(specs) == 1 else named


def _collapsed(specs: Sequence[TensorSpec], schema: Any) -> Json:
    found: Json = schema(specs[0]) if len(specs) == 1 else _named(specs, schema, bare=False)
    return found


def _object(properties: Mapping[str, Json]) -> Json:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _plain(key: str) -> str:
    """Return a key as the name of a component may be: letters, digits, dots, dashes and underscores."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", key)


_BYTES = value_of(TensorSpec(name="_bytes", dtype="string", shape=()))

_SCHEMAS: dict[str, Json] = {
    "Bytes": _BYTES,
    "Error": _object({"error": {"type": "string"}}),
    "Status": _object(
        {
            "model_version_status": {
                "type": "array",
                "items": _object(
                    {
                        "version": {"type": "string", "pattern": "^[0-9]+$"},
                        "state": {"enum": ["UNKNOWN", "START", "LOADING", "AVAILABLE", "UNLOADING", "END"]},
                        "status": {
                            "type": "object",
                            "properties": {
                                "error_code": {"type": "string"},
                                "error_message": {"type": "string"},
                            },
                        },
                    }
                ),
            }
        }
    ),
    "Metadata": _object({"model_spec": {"type": "object"}, "metadata": {"type": "object"}}),
}

_ERROR: Json = {
    "description": "What was wrong, in the server's words.",
    "content": _content([{"$ref": "#/components/schemas/Error"}], {}),
}


def _get(operation: str, summary: str, schema: str) -> Json:
    content = _content([{"$ref": f"#/components/schemas/{schema}"}], {})
    answers = {"200": {"description": summary, "content": content}, "404": _ERROR_REF, "default": _ERROR_REF}
    return {"operationId": operation, "summary": summary, "responses": answers}


_STATUS = _get("status", "The states of the versions that are served.", "Status")
_METADATA = _get("metadata", "The signatures of the version that is served.", "Metadata")
