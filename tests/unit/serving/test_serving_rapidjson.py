"""RapidJSON's way of reading: like ``json`` where a document is plain, by its own rules elsewhere."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.serving.rest.documents import NotAlikeError, parse_fast
from packager.serving.rest.rapidjson import parse
from packager.serving.status import StatusError

scalars = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**64 - 1)
    | st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**8), max_value=10**8).map(
        float
    )
    | st.text(st.characters(exclude_categories=["Cs"]))
)
keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
documents = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=15)


def types_and_values(value: Any) -> Any:
    """Make 1, 1.0 and true three different things."""
    if isinstance(value, list):
        return [types_and_values(element) for element in value]
    if isinstance(value, dict):
        return {key: types_and_values(element) for key, element in value.items()}
    return type(value), value


@given(documents, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_valid_documents_read_as_json_reads_them(document: Any, indent: Any, ascii_only: bool) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    assert types_and_values(parse(text.encode())) == types_and_values(json.loads(text))


@given(documents)
def test_both_ways_read_alike(document: Any) -> None:
    body = json.dumps(document).encode()
    try:
        fast = parse_fast(body)
    except NotAlikeError:
        return  # a surrogate pair, or a number with a long exponent: read the exact way
    assert types_and_values(fast) == types_and_values(parse(body))


@given(st.binary(max_size=40))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    with suppress(StatusError):
        parse(body)


def _finite(text: str) -> float:
    if math.isinf(float(text)):
        raise ValueError(f"{text} is too big")
    return float(text)


@given(st.text('[]{}:,"\\ tfnIN-+.eE0123aiflursy\x00', max_size=30))
def test_whatever_json_accepts_is_accepted(text: str) -> None:
    try:
        json.loads(text, parse_float=_finite)
    except ValueError:
        return
    parse(text.encode())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The document is empty"),
        (b" \n", "The document is empty. at offset: 2"),
        (b"]", "The document is empty. at offset: 0"),
        (b"x", "Invalid value. at offset: 0"),
        (b"nul", "Invalid value. at offset: 3"),
        (b"[nulx]", "Invalid value. at offset: 4"),
        (b"[", "Invalid value. at offset: 1"),
        (b"[,1]", "Invalid value. at offset: 1"),
        (b"[1,]", "Invalid value. at offset: 3"),
        (b"[1 2]", "Missing a comma or ']' after an array element. at offset: 3"),
        (b"[1}", "Missing a comma or ']' after an array element. at offset: 2"),
        (b"[01]", "Missing a comma or ']' after an array element. at offset: 2"),
        (b"[1", "Missing a comma or ']' after an array element. at offset: 2"),
        (b"{", "Missing a name for object member. at offset: 1"),
        (b"{,}", "Missing a name for object member. at offset: 1"),
        (b'{"a":1,}', "Missing a name for object member. at offset: 7"),
        (b"{a:1}", "Missing a name for object member. at offset: 1"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'{"a":}', "Invalid value. at offset: 5"),
        (b'{"a":1', "Missing a comma or '}' after an object member. at offset: 6"),
        (b'{"a":1]', "Missing a comma or '}' after an object member. at offset: 6"),
        (b'["\\q"]', "Invalid escape character in string. at offset: 2"),
        (b'["a\tb"]', "Invalid escape character in string. at offset: 3"),
        (b'["\\u12x4"]', "Incorrect hex digit after \\u escape in string. at offset: 2"),
        (b'["\\ud800"]', "The surrogate pair in string is invalid. at offset: 2"),
        (b'["\\ud800\\u0041"]', "The surrogate pair in string is invalid. at offset: 2"),
        (b'["abc', "Missing a closing quotation mark in string. at offset: 5"),
        (b"[1.]", "Miss fraction part in number. at offset: 3"),
        (b"[1e]", "Miss exponent in number. at offset: 3"),
        (b"[1e+]", "Miss exponent in number. at offset: 4"),
        (b"[-]", "Invalid value. at offset: 2"),
        (b"[+1]", "Invalid value. at offset: 1"),
        (b"[.5]", "Invalid value. at offset: 1"),
        (b"[Nan]", "Invalid value. at offset: 3"),
        (b"[Infinitx]", "Invalid value. at offset: 8"),
        (b"[1e400]", "Number too big to be stored in double. at offset: 1"),
        (b"[ -" + b"9" * 400 + b"]", "Number too big to be stored in double. at offset: 2"),
    ],
)
def test_errors_have_rapidjsons_words_and_offsets(body: bytes, message: str) -> None:
    with pytest.raises(StatusError) as caught:
        parse(body)
    assert caught.value.message == f"JSON Parse error: {message}"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"[1]garbage", [1]),
        (b"\xef\xbb\xbf[1]", [1]),
        (b"[1]\0[2]", [1]),
        (b'{"a": 1, "a": 2}', {"a": 1}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\xff\xfe"', "\udcff\udcfe"),
        (b'"\\udc00"', b"\xed\xb0\x80".decode("utf-8", "surrogateescape")),
        (b"[18446744073709551615, -9223372036854775808]", [2**64 - 1, -(2**63)]),
        (b"[18446744073709551616]", [float(2**64)]),
        (b"[-0, -0.0]", [0, -0.0]),
        (b"[Infinity, -Inf, Inf]", [math.inf, -math.inf, math.inf]),
    ],
)
def test_what_only_rapidjson_reads_so(body: bytes, value: Any) -> None:
    assert types_and_values(parse(body)) == types_and_values(value)


def test_nan_is_read() -> None:
    assert all(math.isnan(number) for number in parse(b"[NaN, -NaN]"))


def test_nesting_has_no_limit() -> None:
    value = parse(b"[" * 20_000 + b"]" * 20_000)
    depth = 0
    while value:
        [value] = value
        depth += 1
    assert depth == 19_999


@pytest.mark.parametrize(
    "body",
    [
        *(
            b'{"a":1,"a":2}',
            b'{"instances":[{"a":1,"a":2}]}',
            b'{"inputs":{"a":[{"b":1,"b":2}]}}',
            b"[1e999]",
        ),
        *(b'["\\ud800"]', b"[" * 100_000 + b"]" * 100_000, b'"\xff"'),
    ],
)
def test_what_may_read_differently_is_left_to_the_exact_reader(body: bytes) -> None:
    with pytest.raises(NotAlikeError):
        parse_fast(body)
