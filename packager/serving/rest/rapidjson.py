"""Reads JSON exactly as RapidJSON 1.1 does when TensorFlow Serving asks it to.

That is: without recursion, stopping after the first value, with NaN and Infinity; the same words and
offset for every error (``reader.h``, ``error/en.h``). Slower than ``json``: it reads what ``json`` does
not read alike.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from packager.serving.rest.rapidjson_numbers import NumberTooBigError, read_decimal
from packager.serving.status import invalid_argument

_EMPTY = "The document is empty."
_NO_VALUE = "Invalid value."
_NO_NAME = "Missing a name for object member."
_NO_COLON = "Missing a colon after a name of object member."
_NO_COMMA_IN_ARRAY = "Missing a comma or ']' after an array element."
_NO_COMMA_IN_OBJECT = "Missing a comma or '}' after an object member."

_SPACE = re.compile(rb"[ \t\r\n]*")
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_PLAIN_TEXT = re.compile(rb'[^"\\\x00-\x1f]*')
_HEX4 = re.compile(rb"[0-9a-fA-F]{4}")

_PLAIN_VALUE = re.compile(
    rb'[ \t\r\n]*(?:(\[)|(\{)|"([^"\\\x00-\x1f]*)"|(' + _NUMBER.pattern + rb")(?=[ \t\r\n,\]}]))"
)
"""A value that needs no closer look: the opening of an array or object, a string, a number."""
_ARRAY, _OBJECT, _STRING = 1, 2, 3

_END, _QUOTE, _BACKSLASH = 0, ord('"'), ord("\\")
_ESCAPES = {ord(k): v for k, v in zip('"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True)}
_LITERALS = {ord("n"): (b"null", None), ord("t"): (b"true", True), ord("f"): (b"false", False)}


def parse(data: bytes) -> Any:
    """Return the first value of ``data``, or raise StatusError.

    Of keys that are there twice the first counts. Strings keep bytes that are not UTF-8 as
    ``surrogateescape`` does. Whole numbers beyond 64 bits are doubles.
    """
    if not data:
        raise invalid_argument("JSON Parse error: The document is empty")
    return _Reader(data).read()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data + b"\0"  # RapidJSON reads a NUL as the end, too
        self._at = 0
        self._container: Any = None
        """The innermost array or object that is open."""
        self._key = ""
        """The key in it that the next value is for."""
        self._outer: list[tuple[Any, str]] = []
        """The containers around it, each with its key."""

    def read(self) -> Any:
        """Return the first value."""
        for mark in b"\xef\xbb\xbf":
            self._at += self._data[self._at] == mark
        if self._peek() in b"\0,:]}":
            self._fail(_EMPTY)
        while True:
            value, complete = self._read_value()
            while complete:
                if self._container is None:
                    return value
                value, complete = self._add(value)

    def _read_value(self) -> tuple[Any, bool]:
        """Return the next value, and whether it is complete: an array or object may only be opened."""
        match = _PLAIN_VALUE.match(self._data, self._at)
        if match is None:
            return self._read_unusual_value(), True
        self._at = match.end()
        kind = match.lastindex
        if kind == _STRING:
            return match[kind].decode("utf-8", "surrogateescape"), True
        if kind not in (_ARRAY, _OBJECT):
            return self._number(match[0].lstrip()), True
        opened: Any = [] if kind == _ARRAY else {}
        if self._peek() == ord("]" if kind == _ARRAY else "}"):
            self._at += 1
            return opened, True
        self._outer.append((self._container, self._key))
        self._container = opened
        if kind == _OBJECT:
            self._read_key()
        return opened, False

    def _add(self, value: Any) -> tuple[Any, bool]:
        """Put a value into the open container; return that, and whether it is complete by that."""
        container = self._container
        char = self._peek()
        if type(container) is list:
            container.append(value)
            if char not in b",]":
                self._fail(_NO_COMMA_IN_ARRAY)
        else:
            container.setdefault(self._key, value)
            if char not in b",}":
                self._fail(_NO_COMMA_IN_OBJECT)
        self._at += 1
        if char != ord(","):
            self._container, self._key = self._outer.pop()
            return container, True
        if type(container) is dict:
            self._read_key()
        return container, False

    def _read_key(self) -> None:
        if self._peek() != _QUOTE:
            self._fail(_NO_NAME)
        self._key = self._read_string()
        if self._peek() != ord(":"):
            self._fail(_NO_COLON)
        self._at += 1

    def _peek(self) -> int:
        """Skip white space and return the character after it."""
        self._at = _SPACE.match(self._data, self._at).end()  # type: ignore[union-attr]
        return self._data[self._at]

    def _read_unusual_value(self) -> Any:
        char = self._peek()
        if char == _QUOTE:
            return self._read_string()
        if char in _LITERALS:
            word, value = _LITERALS[char]
            self._expect(word)
            return value
        if match := _NUMBER.match(self._data, self._at):
            self._at = match.end()
            self._check_number_end(match[0])
            return self._number(match[0])
        return self._read_constant()

    def _number(self, digits: bytes) -> int | float:
        try:
            return read_decimal(digits.decode())
        except NumberTooBigError:
            self._fail("Number too big to be stored in double.", self._at - len(digits))

    def _check_number_end(self, number: bytes) -> None:
        """Fail if a fraction or an exponent begins where the number ends and has no digits."""
        rest = self._data[self._at : self._at + 2]
        has_exponent = b"e" in number.lower()
        if rest[:1] == b"." and b"." not in number and not has_exponent:
            self._fail("Miss fraction part in number.", self._at + 1)
        if rest[:1] in (b"e", b"E") and not has_exponent:
            self._fail("Miss exponent in number.", self._at + 1 + (rest[1:] in (b"+", b"-")))

    def _read_constant(self) -> float:
        minus = self._data[self._at] == ord("-")
        self._at += minus
        if self._data[self._at] == ord("N"):
            self._expect(b"NaN")
            return float("nan")
        self._expect(b"Inf")
        if self._data[self._at] == ord("i"):
            self._expect(b"inity")
        return float("-inf" if minus else "inf")

    def _expect(self, word: bytes) -> None:
        for char in word:
            if self._data[self._at] != char:
                self._fail(_NO_VALUE)
            self._at += 1

    def _read_string(self) -> str:
        self._at += 1
        text = bytearray()
        while True:
            plain = _PLAIN_TEXT.match(self._data, self._at)
            assert plain is not None  # it matches nothing, too
            text += plain[0]
            self._at = plain.end()
            char = self._data[self._at]
            if char == _QUOTE:
                self._at += 1
                return text.decode("utf-8", "surrogateescape")
            if char == _END:
                self._fail("Missing a closing quotation mark in string.")
            if char != _BACKSLASH:
                self._fail("Invalid escape character in string.")
            text += self._read_escape()

    def _read_escape(self) -> bytes:
        start = self._at
        char = self._data[start + 1]
        self._at += 2
        if char in _ESCAPES:
            return bytes((_ESCAPES[char],))
        if char != ord("u"):
            self._fail("Invalid escape character in string.", start)
        code = self._read_hex4(start)
        if 0xD800 <= code <= 0xDBFF:
            low = 0
            if self._data[self._at : self._at + 2] == b"\\u":
                self._at += 2
                low = self._read_hex4(start)
            if not 0xDC00 <= low <= 0xDFFF:
                self._fail("The surrogate pair in string is invalid.", start)
            code = 0x10000 + ((code - 0xD800) << 10 | (low - 0xDC00))
        return chr(code).encode("utf-8", "surrogatepass")

    def _read_hex4(self, start: int) -> int:
        digits = _HEX4.match(self._data, self._at)
        if digits is None:
            self._fail("Incorrect hex digit after \\u escape in string.", start)
        self._at += 4
        return int(digits[0], 16)

    def _fail(self, reason: str, offset: int | None = None) -> NoReturn:
        at = self._at if offset is None else offset
        raise invalid_argument(f"JSON Parse error: {reason} at offset: {at}")
