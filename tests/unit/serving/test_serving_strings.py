"""Strings between JSON and bytes, and the text that errors quote."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.serving.rest.debug_text import LIMIT, debug_text, type_name
from packager.serving.rest.strings import (
    decode_base64,
    encode_base64,
    is_base64_object,
    quote,
    to_bytes,
    to_text,
)
from packager.serving.status import StatusError


@given(st.binary())
def test_any_bytes_survive_as_text(value: bytes) -> None:
    assert to_bytes(to_text(value)) == value


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_text_reads_as_itself(text: str) -> None:
    assert json.loads(quote(text)) == text


def test_controls_are_escaped_in_capitals() -> None:
    assert quote('\x1f"\\/\n\x7fé') == '"\\u001F\\"\\\\/\\n\x7fé"'


@given(st.binary())
def test_base64_comes_back(value: bytes) -> None:
    assert decode_base64(encode_base64(value)) == value
    assert encode_base64(value) == base64.b64encode(value).decode()


@pytest.mark.parametrize("text", ["aGVsbG8=", "aGVsbG8", "aGVsbG8.", " aGV sbG8\n=", "aGVsbG8 = "])
def test_padding_and_space_are_optional(text: str) -> None:
    assert decode_base64(text) == b"hello"


@pytest.mark.parametrize("text", ["@@@", "a", "aGVsbG8==", "aGVs=bG8", "_-_-", "aGVsbG8=x", "="])
def test_what_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(StatusError, match="Unable to base64 decode"):
        decode_base64(text)


@pytest.mark.parametrize(
    ("value", "is_bytes"),
    [({"b64": "x"}, True), ({"b64": 1}, False), ({"b64": "x", "y": 1}, False), ({}, False), ("b64", False)],
)
def test_only_an_object_with_just_that_key_is_bytes(value: Any, is_bytes: bool) -> None:
    assert is_base64_object(value) is is_bytes


def test_quoted_values_are_pretty_with_arrays_on_one_line() -> None:
    value = {"a": [1, 2.0, [True, None]], "b": {}, "c": [], "d": {"e": "f"}}
    assert debug_text(value).splitlines() == [
        "{",
        '    "a": [1, 2.0, [true, null]],',
        '    "b": {},',
        '    "c": [],',
        '    "d": {',
        '        "e": "f"',
        "    }",
        "}",
    ]


def test_quoted_values_end_after_the_limit() -> None:
    assert debug_text(list(range(1000))).startswith("[0, 1, 2")
    assert LIMIT <= len(debug_text(list(range(1000)))) < LIMIT + 8
    assert debug_text({"a": "x" * 500, "b": 1}) == '{\n    "a": "' + "x" * 500 + '"'


def test_quoting_does_not_recurse_beyond_the_limit() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    assert debug_text(value) == "[" * LIMIT


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "Null"),
        (True, "True"),
        (False, "False"),
        ("", "String"),
        ([], "Array"),
        ({}, "Object"),
        (1, "Number"),
    ],
)
def test_types_have_rapidjsons_names(value: Any, name: str) -> None:
    assert type_name(value) == name
