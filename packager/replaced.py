"""Other behaviour for a while, where a library has no place to hand it in."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give a class another method for a while, or a module another function."""
    own = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own is None:
            delattr(owner, name)  # its parent's shows again
        else:
            setattr(owner, name, own)


@contextmanager
def remembered(owner: Any, name: str) -> Iterator[None]:
    """Have a function of a module asked once for each answer, for a while."""
    function = vars(owner)[name]
    known = cache(function)

    def answer(*args: Any, **options: Any) -> Any:
        try:
            return known(*args, **options)
        except TypeError:  # of an argument that cannot be remembered, or the function's own
            return function(*args, **options)

    with replaced(owner, name, answer):
        yield


@contextmanager
def replaced_from_the_start(module: str, name: str, value: Any) -> Iterator[None]:
    """Give a module another function, for good, if it is imported inside: before anybody takes the first."""
    finder = _Finder(module, name, value)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    """Finds one module, as Python's own finder does."""

    def __init__(self, module: str, name: str, value: Any) -> None:
        self._module, self._name, self._value = module, name, value

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the module is, whose loader then replaces; ``None`` for all others."""
        if fullname != self._module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                setattr(module, self._name, self._value)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # a loader has one module
        return spec
