"""Python bytecode read without executing it: which file, line, names and constants a function was made of.

Keras stores a lambda as ``marshal`` data of its code object, in base64 or (up to Keras 2.0) as text with
escapes. The ``marshal`` module reads only its own Python version's code objects and may crash on hostile
data, so the format is read here; it is described in CPython's ``Python/marshal.c``.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import marshal
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from packager.h5.rules import printable, quote, shorten

_LARGEST = 2**20
_DEEPEST = 30
_LONGEST = 70  # digits of 15 bits
_RETURN_VALUE = 83
_REFERENCE = 0x80
_SINGLETONS = {b"N": None, b"T": True, b"F": False, b".": ..., b"S": StopIteration}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytecode:
    """What a code object says of itself."""

    python: str
    """The Python versions that may have written it."""
    file: str
    line: int
    name: str
    """Of the function, ``<lambda>`` where it has none."""
    names: tuple[str, ...]
    """Global names and attributes, in order of first use."""
    constants: tuple[object, ...]
    arguments: int
    """How many it takes by position."""
    code: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """How a code object is laid out: numbers, then objects up to the name, a line number, and the rest."""

    python: str
    numbers: int
    objects: int
    file: int
    rest: int


_LAYOUTS = (
    _Layout(python="3.11 or later", numbers=5, objects=8, file=5, rest=2),
    _Layout(python="3.8 to 3.10", numbers=6, objects=8, file=6, rest=1),
    _Layout(python="3.0 to 3.7", numbers=5, objects=8, file=6, rest=1),
    _Layout(python="2.7", numbers=4, objects=8, file=6, rest=1),
)


def describe_bytecode(bytecode: Bytecode | None) -> str:
    """Describe bytecode in a few words: version, place, names, constants."""
    if bytecode is None:
        return "Python bytecode"
    told = [f"{PurePosixPath(bytecode.file).name}:{bytecode.line}"]
    if bytecode.name != "<lambda>":
        told.append(f"function {bytecode.name}")
    if bytecode.names:
        told.append(f"names {', '.join(bytecode.names[:8])}")
    plain = [quote(c) if isinstance(c, str) else repr(c) for c in bytecode.constants if _is_plain(c)]
    if plain:
        told.append(f"constants {', '.join(plain[:8])}")
    return f"Python {bytecode.python} bytecode ({printable(shorten(', '.join(told)))})"


def is_of_this_python(bytecode: Bytecode) -> bool:
    """Tell whether the running Python may have written it."""
    own = read_bytecode(base64.b64encode(marshal.dumps(_as_text.__code__)).decode())
    if own is None or own.python != bytecode.python:
        return False
    return not own.python.endswith("or later") or _resume(own) == _resume(bytecode)


def _resume(bytecode: Bytecode) -> int:
    """Return the opcode that begins a function: 149 since Python 3.13, where 151 means nothing."""
    return 151 if 151 in bytecode.code[:40:2] else 149


def _is_plain(constant: object) -> bool:
    return isinstance(constant, (str, int, float)) and not isinstance(constant, bool)


def read_bytecode(text: str) -> Bytecode | None:
    """Read a code object as Keras stores it, ``None`` where it is none."""
    for data in _marshalled(text):
        for layout in _LAYOUTS:
            reader = _Reader(data, layout)
            try:
                value = reader.read()
            except (ValueError, LookupError, ArithmeticError, struct.error):
                continue
            if isinstance(value, Bytecode) and reader.at == len(data):
                return value
    return None


def _marshalled(text: str) -> Iterator[bytes]:
    """Yield what ``text`` may stand for: text with escapes may be base64 by accident."""
    if len(text) <= _LARGEST:
        with contextlib.suppress(UnicodeEncodeError, binascii.Error):
            yield base64.b64decode(text.encode("ascii"))
        yield text.encode("raw_unicode_escape")


class _Reader:
    """Reads one marshalled value, code objects by one layout."""

    def __init__(self, data: bytes, layout: _Layout) -> None:
        self.at = 0
        self._data = data
        self._layout = layout
        self._depth = 0
        self._references: list[Any] = []
        self._interned: list[Any] = []

    def read(self) -> Any:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("nested too deep")
        kind = self._take(1)[0]
        index = None
        if kind & _REFERENCE:
            index = len(self._references)
            self._references.append(None)
        value = self._value(bytes([kind & ~_REFERENCE]))
        if index is not None:
            self._references[index] = value
        self._depth -= 1
        return value

    def _value(self, kind: bytes) -> Any:
        if kind in _SINGLETONS:
            return _SINGLETONS[kind]
        match kind:
            case b"i":
                return self._number()
            case b"I":
                return int.from_bytes(self._take(8), "little", signed=True)
            case b"l":
                return self._long()
            case b"g":
                return struct.unpack("<d", self._take(8))[0]
            case b"f":
                return float(self._take(self._take(1)[0]))
            case b"y":
                return complex(*struct.unpack("<dd", self._take(16)))
            case b"s":
                return self._take(self._number())
            case b"t" | b"u" | b"a" | b"A":
                return self._intern(kind, self._take(self._number()))
            case b"z" | b"Z":
                return self._take(self._take(1)[0]).decode("ascii")
            case b"(" | b"[" | b"<" | b">":
                return self._items(self._number())
            case b")":
                return self._items(self._take(1)[0])
            case b"R":
                return self._interned[self._number()]
            case b"r":
                return self._references[self._number()]
            case b"c":
                return self._code()
        raise ValueError(f"unknown type {kind!r}")

    def _take(self, count: int) -> bytes:
        if not 0 <= count <= len(self._data) - self.at:
            raise ValueError("ends early")
        self.at += count
        return self._data[self.at - count : self.at]

    def _number(self) -> int:
        return int.from_bytes(self._take(4), "little", signed=True)

    def _long(self) -> int:
        count = self._number()
        if abs(count) > _LONGEST:
            raise ValueError("longer than any constant")
        digits = struct.unpack(f"<{abs(count)}H", self._take(2 * abs(count)))
        value: int = sum(digit << (15 * place) for place, digit in enumerate(digits))
        return value if count >= 0 else -value

    def _intern(self, kind: bytes, raw: bytes) -> str:
        text = raw.decode("utf-8", "surrogatepass")
        if kind == b"t":
            self._interned.append(text)
        return text

    def _items(self, count: int) -> tuple[Any, ...]:
        if not 0 <= count <= len(self._data) - self.at:
            raise ValueError("ends early")
        return tuple(self.read() for _ in range(count))

    def _code(self) -> Bytecode:
        layout = self._layout
        arguments = self._number()
        for _ in range(layout.numbers - 1):
            self._number()
        objects = [self.read() for _ in range(layout.objects)]
        line = self._number()
        for _ in range(layout.rest):
            self.read()
        code, constants, names, file = *objects[:3], objects[layout.file]
        if not isinstance(code, bytes) or not isinstance(constants, tuple) or not isinstance(names, tuple):
            raise ValueError("not a code object")
        return Bytecode(
            python=_precise(layout.python, code),
            file=_as_text(file),
            line=line,
            name=_as_text(objects[layout.file + 1]),
            names=tuple(map(_as_text, names)),
            constants=constants,
            arguments=arguments,
            code=code,
        )


def _as_text(value: object) -> str:
    """Return a string; Python 2 stores it as bytes."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise ValueError("not a string")
    return value


def _precise(python: str, code: bytes) -> str:
    """Tell 3.6 from 3.5 and before: since 3.6 every instruction takes two bytes."""
    if python != "3.0 to 3.7":
        return python
    wide = len(code) % 2 == 0 and code[-2:-1] == bytes([_RETURN_VALUE])
    return "3.6 or 3.7" if wide else "3.0 to 3.5"
