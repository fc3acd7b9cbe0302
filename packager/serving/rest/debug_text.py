"""JSON values as error messages quote them: pretty, on few lines, and cut after 256 characters."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from packager.serving.rest.rapidjson_numbers import write_double
from packager.serving.rest.strings import quote

LIMIT = 256
"""Once the text is this long no further token is written; the last one is whole (``json_tensor.cc``)."""

_INDENT = "    "


def debug_text(value: Any) -> str:
    """Return ``value`` as RapidJSON's PrettyWriter writes it with arrays on one line."""
    writer = _Writer()
    with suppress(_FullError):
        writer.write(value, "")
    return "".join(writer.parts)


class _FullError(Exception):
    """The text is long enough."""


class _Writer:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self._length = 0

    def write(self, value: Any, prefix: str, depth: int = 0) -> None:
        """Write one value. Every level of nesting writes a token, so the limit bounds the recursion."""
        if isinstance(value, dict):
            self._write_object(value, prefix, depth)
        elif isinstance(value, list):
            self._put(prefix + "[")
            for index, element in enumerate(value):
                self.write(element, ", " if index else "", depth + 1)
            self._put("]")
        else:
            self._put(prefix + _scalar_text(value))

    def _write_object(self, members: dict[str, Any], prefix: str, depth: int) -> None:
        self._put(prefix + "{")
        for index, (key, member) in enumerate(members.items()):
            self._put(f"{',' if index else ''}\n{_INDENT * (depth + 1)}{quote(key)}")
            self.write(member, ": ", depth + 1)
        self._put(f"\n{_INDENT * depth}}}" if members else "}")

    def _put(self, token: str) -> None:
        if self._length >= LIMIT:
            raise _FullError
        self.parts.append(token)
        self._length += len(token.encode("utf-8", "surrogateescape"))


def _scalar_text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case True:
            return "true"
        case False:
            return "false"
        case str():
            return quote(value)
        case float():
            return write_double(value)
        case _:
            return str(value)


def type_name(value: Any) -> str:
    """Return RapidJSON's name for the type of a value."""
    match value:
        case None:
            return "Null"
        case True:
            return "True"
        case False:
            return "False"
        case str():
            return "String"
        case list():
            return "Array"
        case dict():
            return "Object"
        case _:
            return "Number"
