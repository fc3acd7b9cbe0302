"""Strings between JSON and bytes: quoting, and Base64 as Abseil reads it.

Text is bytes decoded as UTF-8 with ``surrogateescape``, so that any bytes come out as they went in.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from packager.serving.status import invalid_argument

_SPECIAL = str.maketrans(
    {chr(code): f"\\u{code:04X}" for code in range(32)}
    | {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
)
_BASE64 = re.compile(rb"([A-Za-z0-9+/]*)([=.]*)")
_PADDING = {0: 0, 2: 2, 3: 1}
"""How many padding characters follow, by the number of characters in the last group of four."""


def quote(text: str) -> str:
    """Return ``text`` as a JSON string, with RapidJSON's choice of escapes."""
    return f'"{text.translate(_SPECIAL)}"'


def to_text(value: bytes) -> str:
    """Return bytes as text, whatever they are."""
    return value.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    """Return the bytes that ``text`` stands for."""
    return text.encode("utf-8", "surrogateescape")


def is_base64_object(value: Any) -> bool:
    """Tell whether a value is bytes: ``{"b64": "…"}`` with no other key."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def decode_base64(text: str) -> bytes:
    """Decode Base64; white space is skipped, padding may be missing and ``.`` pads as ``=`` does.

    Raises StatusError. (``Base64Unescape`` of Abseil.)
    """
    match = _BASE64.fullmatch(b"".join(to_bytes(text).split()))
    if not match or len(match[1]) % 4 == 1 or (match[2] and len(match[2]) != _PADDING[len(match[1]) % 4]):
        raise invalid_argument("Unable to base64 decode")
    return base64.b64decode(match[1] + b"==")


def encode_base64(value: bytes) -> str:
    """Encode as standard Base64 with padding."""
    return base64.b64encode(value).decode("ascii")
