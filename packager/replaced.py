"""Other behaviour for a while, where a library has no place to hand it in."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.abc import Loader, MetaPathFinder
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
        """Return where the module is, with a loader that replaces; ``None`` for all others."""
        if fullname != self._module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, Loader):
            spec.loader = _ReplacingLoader(spec.loader, self._name, self._value)
        return spec


class _ReplacingLoader(Loader):
    """Executes a module as ``loader`` does, and replaces a name in it."""

    def __init__(self, loader: Loader, name: str, value: Any) -> None:
        self._loader, self._name, self._value = loader, name, value

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Let the loader make it."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Let the loader, which the module has from now on, execute it."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        setattr(module, self._name, self._value)
