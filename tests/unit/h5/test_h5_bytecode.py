"""Bytecode of every Python is described, and none of it is run."""

from __future__ import annotations

import base64
import binascii
import marshal
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.h5 import bytecode as old_bytecode
from packager.h5.affine import Affine, read_affine
from packager.h5.bytecode import is_of_this_python, read_bytecode

PYTHON_27 = (
    "c\x01\0\0\0\x01\0\0\0\x02\0\0\0C\0\0\0s\b\0\0\0|\0\0d\x01\0\x13S(\x02\0\0\0Ni\x02\0\0\0(\0\0\0\0"
    "(\x01\0\0\0t\x01\0\0\0x(\0\0\0\0(\0\0\0\0s\x1f\0\0\0<ipython-input-16-5e9c2e40508a>"
    "t\b\0\0\0<lambda>\x01\0\0\0s\0\0\0\0"
)
"""``lambda x: x ** 2`` as Keras 2.0 on Python 2.7 stored it."""
PYTHON_35 = (
    "4wEAAAAAAAAAAQAAAAIAAABDAAAAcwwAAAB8AABkAQAbZAIAGFMpA07nAAAAAADgX0DnAAAAAAAA\n"
    "8D+pACkB2gF4cgMAAAByAwAAAPoHcnVuNS5wedoIPGxhbWJkYT5IAAAAcwAAAAA=\n"
)
"""``lambda x: x / 127.5 - 1.0`` as Keras 2.2 on Python 3.5 stored it."""


def describe_bytecode(text: str) -> str:
    return old_bytecode.describe_bytecode(read_bytecode(text))


def stored(function: object) -> str:
    return base64.encodebytes(marshal.dumps(function.__code__)).decode()  # type: ignore[attr-defined]


def test_old_bytecode_is_described() -> None:
    assert describe_bytecode(PYTHON_27) == (
        "Python 2.7 bytecode (<ipython-input-16-5e9c2e40508a>:1, constants 2)"
    )
    assert describe_bytecode(PYTHON_35) == "Python 3.0 to 3.5 bytecode (run5.py:72, constants 127.5, 1.0)"


def test_bytecode_of_this_python_is_read_whole() -> None:
    def resize(image, size=64, *, label="größe"):  # type: ignore[no-untyped-def]
        def inner():  # type: ignore[no-untyped-def]
            return image

        return tf.image.resize(inner(), (size, 2**70, 1.5, 3j, b"x", None, ...))  # type: ignore[name-defined] # noqa: F821

    bytecode = read_bytecode(stored(resize))
    assert bytecode
    assert bytecode.file == __file__
    assert bytecode.line == resize.__code__.co_firstlineno
    assert bytecode.name == "resize"
    assert bytecode.names == resize.__code__.co_names
    assert bytecode.code == resize.__code__.co_code
    assert bytecode.python == ("3.11 or later" if sys.version_info >= (3, 11) else "3.8 to 3.10")


def test_names_and_constants_are_told() -> None:
    described = describe_bytecode(stored(lambda x: x.image.resize("lanczos")))
    assert "names image, resize" in described
    assert "constants 'lanczos'" in described


@pytest.mark.parametrize(
    "text", ["", "x", "4wEA", "c" * 100, base64.b64encode(b"\xe3" * 500).decode(), "A" * 3_000_000]
)
def test_what_is_no_bytecode_is_told_as_little(text: str) -> None:
    assert describe_bytecode(text) == "Python bytecode"


@given(st.data())
def test_damaged_bytecode_ends_and_stays_printable(data: st.DataObject) -> None:
    content = bytearray(marshal.dumps((lambda x: x / 255 - len([1, "a"])).__code__))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    described = describe_bytecode(binascii.b2a_base64(bytes(content)).decode())
    assert described.startswith("Python")
    assert described.isprintable()
    assert len(described) < 500


LAMBDAS = Path(__file__).with_name("lambdas.txt")
"""Lines of ``version name bytecode``: what each Python wrote for the four lambdas below, in ``model.py``."""
AFFINE = {
    "scale": Affine(scale=1 / 127.5, offset=-1.0),  # lambda x: x / 127.5 - 1.0
    "turned": Affine(scale=1.5, offset=-1.0),  # lambda v: -(2 - 3 * v) * 0.5
    "square": None,  # lambda x: x ** 2
    "called": None,  # lambda x: f(x) / 255.0
}
STORED = [tuple(line.split()) for line in LAMBDAS.read_text().splitlines()]


@pytest.mark.parametrize(("version", "name", "text"), STORED, ids=lambda v: v if len(v) < 9 else "")
def test_bytecode_of_every_python_is_read_and_only_affine_code_is_affine(
    version: str, name: str, text: str
) -> None:
    bytecode = read_bytecode(text)
    assert bytecode
    assert (bytecode.file, bytecode.line, bytecode.arguments) == ("model.py", 1, 1)
    assert read_affine(bytecode) == AFFINE[name]
    assert is_of_this_python(bytecode) == (version in runnable_here())


def runnable_here() -> set[str]:
    """Versions whose bytecode is told to be runnable: 3.12's looks like 3.11's, 3.9's like 3.8's."""
    alike = [{"3.8", "3.9", "3.10"}, {"3.11", "3.12"}, {"3.13"}]
    return next(versions for versions in alike if f"3.{sys.version_info.minor}" in versions)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * x,
        lambda x: 2 / x,
        lambda x: x / 0,
        lambda x: 1.0,
        lambda x: x * 0,
        lambda x: x // 2,
        lambda x: x % 2,
        lambda x: x @ 2,
        lambda x: x * True,
        lambda x: x + "a",
        lambda x: x if x else 1,
        lambda x: x[0],
        lambda x: x * 1e308 * 10,
        lambda x, y: x + y,
        lambda x, y=2: x * y,
        lambda *x: x,
        lambda: 3,
    ],
)
def test_what_is_not_surely_affine_is_not(function: object) -> None:
    bytecode = read_bytecode(stored(function))
    assert bytecode
    assert read_affine(bytecode) is None


@given(st.binary(max_size=40))
def test_any_code_ends(code: bytes) -> None:
    for python in ("2.7", "3.0 to 3.5", "3.6 or 3.7", "3.8 to 3.10", "3.11 or later"):
        for start in (b"", bytes([151, 0]), bytes([149, 0])):
            read_affine(
                old_bytecode.Bytecode(
                    python=python,
                    file="",
                    line=1,
                    name="f",
                    names=(),
                    constants=(None, 2, 0.5, 2**2000),
                    arguments=1,
                    code=start + code,
                )
            )
