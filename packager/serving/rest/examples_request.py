"""Reads classify and regress requests: JSON objects become serialised ``tensorflow.Example`` messages."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

from packager.serving.native.generated import generated
from packager.serving.rest.debug_text import type_name
from packager.serving.rest.documents import parse_exactly
from packager.serving.rest.requests import ExamplesRequest, check_object, format_error, signature_name
from packager.serving.rest.strings import decode_base64, is_base64_object, to_bytes
from packager.serving.status import StatusError, invalid_argument

_INT64 = range(-(2**63), 2**63)


def read_examples_request(body: bytes) -> ExamplesRequest:
    """Read a request, or raise StatusError. (``json_tensor.cc``; its words name classify for both.)"""
    document = parse_exactly(body)
    check_object(document)
    name = signature_name(document)
    context = _example(document["context"]) if "context" in document else b""
    if "examples" not in document:
        raise format_error(document, "When method is classify, key 'examples' is expected and was not found")
    examples = document["examples"]
    if not isinstance(examples, list):
        raise format_error(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise format_error(document, "'examples' value is an empty array")
    # Parsing the bytes of two messages in a row merges them: that is how each example gets the context
    return ExamplesRequest(name, [context + _example(example) for example in examples])


def _example(value: Any) -> bytes:
    if not isinstance(value, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {type_name(value)}")
    example = generated("core.example.example_pb2").Example()
    for name, content in value.items():
        feature = _Feature(name)
        for element in content if isinstance(content, list) else [content]:
            feature.add(element)
        feature.store(example.features.feature[name])
    return example.SerializeToString()  # type: ignore[no-any-return]


class _Feature:
    """The values of one feature; all are of the kind of the first."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._kind = ""
        self._values: list[Any] = []

    def add(self, value: Any) -> None:
        """Add a value, or raise StatusError."""
        kind = self._kind_of(value)
        if self._kind not in ("", kind):
            raise invalid_argument(
                f"Unexpected element type in feature: {self._name} expecting type: {self._kind}"
            )
        if kind == "int64" and int(value) not in _INT64:
            raise invalid_argument(f"Feature: {self._name} has uint64_t element. Only int64_t is supported.")
        self._kind = kind
        self._values.append(_feature_value(value))

    def store(self, feature: Any) -> None:
        """Write the values to the message ``feature``."""
        if self._kind == "bytes":
            feature.bytes_list.value.extend(self._values)
        elif self._kind == "int64":
            feature.int64_list.value.extend(self._values)
        elif self._kind == "float":
            feature.float_list.value.extend(array("f", self._values))

    def _kind_of(self, value: Any) -> str:
        if isinstance(value, str) or is_base64_object(value):
            return "bytes"
        if isinstance(value, float):
            return "float"
        if isinstance(value, int):
            return "int64"
        raise self._unexpected(value)

    def _unexpected(self, value: Any) -> StatusError:
        return invalid_argument(
            f"Feature: {self._name} has element with unexpected JSON type: {type_name(value)}"
        )


def _feature_value(value: Any) -> bytes | int | float:
    if isinstance(value, str):
        return to_bytes(value)
    if isinstance(value, Mapping):
        return decode_base64(value["b64"])
    return int(value) if isinstance(value, bool) else value
