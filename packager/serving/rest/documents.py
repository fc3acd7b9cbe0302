"""Reads request bodies as JSON: fast, by Python's own scanner, where RapidJSON would read the same."""

from __future__ import annotations

import json
import re
from typing import Any

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
    if any(number.search(body) for number in _HUGE_NUMBERS) or (b"\\" in body and _SURROGATES.search(body)):
        raise NotAlikeError
    decoder = _FAST_WITH_RAPIDJSON_DOUBLES if exact_doubles else _FAST
    try:
        text = body.decode("utf-8-sig")
        return decoder.raw_decode(text, len(text) - len(text.lstrip(" \t\r\n")))[0]
    except (ValueError, RecursionError) as error:
        raise NotAlikeError from error
