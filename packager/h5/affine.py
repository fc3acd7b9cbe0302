"""Bytecode that only scales and shifts its argument (``x / 127.5 - 1``), told without executing it.

The few opcodes of such code are those of CPython's ``Include/opcode.h`` and ``Lib/opcode.py``, by version.
Whatever else stands in the code, it is not told to be affine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packager.h5.bytecode import Bytecode


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """``scale * x + offset``."""

    scale: float
    offset: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Set:
    """The opcodes of some versions of Python, by number."""

    wide: bool
    """Whether every instruction takes two bytes, as since 3.6."""
    names: Mapping[int, str]
    starts_with: int | None = None


_BEFORE_311 = {
    10: "positive",
    11: "negative",
    20: "*",
    23: "+",
    24: "-",
    27: "/",
    83: "return",
    100: "constant",
    124: "argument",
}
_SETS = {
    "2.7": (_Set(wide=False, names={**_BEFORE_311, 21: "/"}),),
    "3.0 to 3.5": (_Set(wide=False, names=_BEFORE_311),),
    "3.6 or 3.7": (_Set(wide=True, names=_BEFORE_311),),
    "3.8 to 3.10": (_Set(wide=True, names=_BEFORE_311),),
    "3.11 or later": (
        _Set(  # 3.11 and 3.12
            wide=True,
            starts_with=151,
            names={
                0: "cache",
                11: "negative",
                83: "return",
                100: "constant",
                122: "binary",
                124: "argument",
                151: "start",
            },
        ),
        _Set(  # 3.13
            wide=True,
            starts_with=149,
            names={
                0: "cache",
                36: "return",
                42: "negative",
                45: "binary",
                83: "constant",
                85: "argument",
                149: "start",
            },
        ),
    ),
}
_BINARY = {0: "+", 5: "*", 10: "-", 11: "/"}
"""The operand of 3.11's one opcode for binary operations."""
_WITH_OPERAND = 90
"""Opcodes from here on take an operand of two bytes, before 3.6."""
_LONGEST = 200


def read_affine(bytecode: Bytecode) -> Affine | None:
    """Return what the code computes, ``None`` where that is not (or not surely) affine in one argument."""
    if bytecode.arguments != 1 or len(bytecode.code) > _LONGEST:
        return None
    for opcodes in _SETS.get(bytecode.python, ()):
        if opcodes.starts_with in (None, bytecode.code[0] if bytecode.code else None):
            try:
                value = _evaluate(bytecode, opcodes)
            except (
                LookupError,
                ArithmeticError,
                ValueError,
                TypeError,
            ):  # an opcode, constant or operation beyond these
                return None
            plain = value.scale != 0 and math.isfinite(value.scale) and math.isfinite(value.offset)
            return value if plain else None
    return None


def _evaluate(bytecode: Bytecode, opcodes: _Set) -> Affine:
    """Compute with affine functions in place of numbers."""
    stack: list[Affine] = []
    for name, operand in _instructions(bytecode.code, opcodes):
        if name == "argument":
            stack.append([Affine(scale=1.0, offset=0.0)][operand])
        elif name == "constant":
            stack.append(Affine(scale=0.0, offset=_number(bytecode.constants[operand])))
        elif name == "return":
            (value,) = stack
            return value
        elif name == "negative":
            stack.append(_negative(stack.pop()))
        elif name in "+-*/":
            right, left = stack.pop(), stack.pop()
            stack.append(_combine(name, left, right))
    raise LookupError("no return")


def _instructions(code: bytes, opcodes: _Set) -> Iterator[tuple[str, int]]:
    place = 0
    while place < len(code):
        opcode = code[place]
        size = 2 if opcodes.wide else 3 if opcode >= _WITH_OPERAND else 1
        operand = int.from_bytes(code[place + 1 : place + size], "little")
        name = opcodes.names[opcode]
        yield (_BINARY[operand], 0) if name == "binary" else (name, operand)
        place += size


def _number(constant: object) -> float:
    if isinstance(constant, bool) or not isinstance(constant, (int, float)):
        raise TypeError("not a number")
    return float(constant)


def _negative(value: Affine) -> Affine:
    return Affine(scale=-value.scale, offset=-value.offset)


def _combine(operation: str, left: Affine, right: Affine) -> Affine:
    if operation in "+-":
        right = right if operation == "+" else _negative(right)
        return Affine(scale=left.scale + right.scale, offset=left.offset + right.offset)
    if operation == "*" and left.scale == 0:
        left, right = right, left
    if right.scale != 0:
        raise TypeError("not affine")
    if operation == "/":  # of two constants, Python 2 might have cut the result to a whole number
        if left.scale == 0:
            raise TypeError("not sure")
        return Affine(scale=left.scale / right.offset, offset=left.offset / right.offset)
    return Affine(scale=left.scale * right.offset, offset=left.offset * right.offset)
