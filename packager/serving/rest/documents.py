"""Reads request bodies as JSON: fast, by orjson or Python's own scanner, where RapidJSON reads the same."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from packager.serving.rest import rapidjson
from packager.serving.rest.rapidjson_numbers import read_decimal

_HUGE_NUMBERS = (re.compile(rb"e\+?[0-9]{3}"), re.compile(rb"E\+?[0-9]{3}"))
_SURROGATES = re.compile(rb"\\u[dD][89a-fA-F]")


class _DuplicateKeyError(ValueError):
    """A key is there twice; which of them counts is not the same everywhere."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _DuplicateKeyError
    return members


_FAST = json.JSONDecoder(object_pairs_hook=_members)
_FAST_WITH_RAPIDJSON_DOUBLES = json.JSONDecoder(object_pairs_hook=_members, parse_float=read_decimal)

parse_exactly = rapidjson.parse


class NotAlikeError(ValueError):
    """The document is not JSON, or Python and RapidJSON may read it differently."""


def parse_fast(body: bytes, *, exact_doubles: bool = False) -> Any:
    """Return the first value of ``body``, or raise NotAlikeError.

    Doubles may be a unit in the last place better than RapidJSON's unless ``exact_doubles``; integers
    beyond 64 bits stay integers.
    """
    if not exact_doubles:
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            document = None
        if isinstance(document, dict):
            colons = body.count(b":")
            if colons == len(document) or colons == _members_in(document):
                return document
    if any(number.search(body) for number in _HUGE_NUMBERS) or (b"\\" in body and _SURROGATES.search(body)):
        raise NotAlikeError
    decoder = _FAST_WITH_RAPIDJSON_DOUBLES if exact_doubles else _FAST
    try:
        text = body.decode("utf-8-sig")
        return decoder.raw_decode(text, len(text) - len(text.lstrip(" \t\r\n")))[0]
    except (ValueError, RecursionError) as error:
        raise NotAlikeError from error


def _members_in(document: dict[str, Any]) -> int:
    """Count the members of a request and of the objects in the upper part of it.

    orjson takes the last of several members of one name and says nothing. As each member has a colon in the
    body, there were no others where this finds as many; deeper objects and colons in strings only make it
    find fewer.
    """
    parts = [*document.values()]
    rows = document.get("instances")
    if isinstance(rows, list) and rows and isinstance(rows[0], dict):
        parts += rows
        parts += [value for row in rows if isinstance(row, dict) for value in row.values()]
    elif isinstance(columns := document.get("inputs"), dict):
        parts += columns.values()
    return len(document) + sum(len(part) for part in parts if isinstance(part, dict))
