"""The error tree: one exit code a class, in the documented ranges, and errors that cross process borders."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from packager import errors
from packager.errors import PackagerError


def descendants(cls: type[PackagerError]) -> Iterator[type[PackagerError]]:
    for child in cls.__subclasses__():
        yield child
        yield from descendants(child)


TREE = [error for error in descendants(PackagerError) if error.__module__ == errors.__name__]


def test_exit_codes_are_distinct() -> None:
    codes = [error.exit_code for error in TREE]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("error", TREE, ids=lambda e: e.__name__)
def test_codes_lie_in_their_familys_range_and_in_the_docstring(error: type[PackagerError]) -> None:
    families = {
        errors.ModelFileError: range(10, 20),
        errors.ExportError: range(10, 20),
        errors.EngineError: range(20, 30),
        errors.SmokeError: (*range(30, 40), *range(60, 70)),
        errors.RegistryError: range(40, 50),
        errors.UsageError: range(2, 3),
        errors.ReproductionError: range(50, 60),
    }
    assert any(issubclass(error, family) and error.exit_code in codes for family, codes in families.items())
    documented = [line.split() for line in (errors.__doc__ or "").splitlines() if error.__name__ in line]
    assert str(error.exit_code) in documented[0]


@pytest.mark.parametrize("error", TREE, ids=lambda e: e.__name__)
def test_errors_survive_pickling(error: type[PackagerError]) -> None:
    copy = pickle.loads(pickle.dumps(error("what", hint="do", details="log")))
    assert (type(copy), copy.message, copy.hint, copy.details) == (error, "what", "do", "log")
