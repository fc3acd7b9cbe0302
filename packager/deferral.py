"""Modules that are loaded when they are touched, for packages that import more than is used.

Nothing is left out for good: a module that is deferred is found as ever, so that one that is not installed
is told at once, and the first look into it executes it.
"""

from __future__ import annotations

import importlib
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.abc import Loader, MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_loading = threading.RLock()
"""Held while a deferred module is executed: one lock for all, as each may execute others."""
_under_way: set[str] = set()
"""Those that are being executed."""


def import_sparingly(package: str, deferred: Sequence[str], *, lists: str = "$^") -> Any:
    """Import a package, with ``deferred`` modules left for when they are touched, and return it.

    They are left from now on, whoever imports them: ``a.b`` is one module, ``a.b.*`` one with all inside it,
    ``a.b_*`` all whose names begin so.
    Those whose whole name the pattern ``lists`` matches do nothing but ``from … import … as …``, a line for
    each name: a look at one name imports what that line says, and executes nothing else. Where the package
    does not stand that, it is imported whole.
    """
    deferrer = _Deferrer(deferred, lists)
    sys.meta_path.insert(0, deferrer)
    try:
        return importlib.import_module(package)
    except Exception:  # noqa: BLE001 - if it is none of ours, it is raised again
        sys.meta_path.remove(deferrer)
        for module in [module for module in sys.modules.values() if isinstance(module, _Deferred)]:
            _execute(module)
        return importlib.import_module(package)


def is_untouched(module: str) -> bool:
    """Tell whether a module has not been executed yet, imported or not."""
    return module not in sys.modules or isinstance(sys.modules[module], _Deferred)


class _Deferrer(MetaPathFinder):
    """Finds the modules that are to be deferred, as Python's own finder does."""

    def __init__(self, names: Sequence[str], lists: str) -> None:
        self._exact = frozenset(name.removesuffix(".*") for name in names)
        self._beginnings = tuple(name.removesuffix("*") for name in names if name.endswith("*"))
        self._lists = re.compile(lists)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is, with a loader that does not execute it; ``None`` for all others."""
        if fullname not in self._exact and not fullname.startswith(self._beginnings):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        package = sys.modules.get(fullname.rpartition(".")[0])
        if spec is None and isinstance(package, _Deferred):  # which may say itself where else to look
            _execute(package)
            spec = PathFinder.find_spec(fullname, package.__path__, target)
        if spec is not None and spec.loader is not None:
            kind = _List if self._lists.fullmatch(fullname) else _Deferred
            spec.loader = _DeferringLoader(spec.loader, kind)
        return spec


class _DeferringLoader(Loader):
    """Makes modules for ``loader`` to execute when they are touched."""

    def __init__(self, loader: Loader, kind: type[_Deferred]) -> None:
        self._loader, self._kind = loader, kind

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Let the loader make it."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Leave it to the loader, which is from now on what the module has for one."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        module.__class__ = self._kind


class _Deferred(ModuleType):
    """A module that was found but not executed; its name, its place and modules inside it are known.

    ``importlib.util.LazyLoader`` makes such ones too, but its are executed when they are imported twice or
    ``inspect.getmodule`` comes by, and before Python 3.11.8 not safely among threads (gh-114763).
    """

    def __getattr__(self, name: str) -> Any:
        _execute(self)
        return ModuleType.__getattribute__(self, name)

    def __delattr__(self, name: str) -> None:
        _execute(self)
        ModuleType.__delattr__(self, name)

    def __dir__(self) -> Any:
        _execute(self)
        return ModuleType.__dir__(self)

    @property
    def __dict__(self) -> Any:  # type: ignore[override]  # what vars() returns
        _execute(self)
        return vars(ModuleType)["__dict__"].__get__(self)


class _List(_Deferred):
    """One that does nothing but list what others define: of a name, only what defines it is imported."""

    def __getattr__(self, name: str) -> Any:
        line = _lines(self).get(name)
        if line is None:
            return super().__getattr__(name)
        origin, theirs = line
        if origin == self.__name__:
            return importlib.import_module(f"{origin}.{theirs}")
        value = getattr(importlib.import_module(origin), theirs)
        setattr(self, name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "__path__":  # modules inside are to be found as they would have been till now
            for origin, theirs in _lines(self).values():
                if origin == self.__name__:
                    importlib.import_module(f"{origin}.{theirs}")
        super().__setattr__(name, value)


_LINE = re.compile(r"^from ([\w.]+) import (\w+)(?: as (\w+))?[ \t]*(?:#.*)?$", re.MULTILINE)


@cache
def _lines(module: ModuleType) -> Mapping[str, tuple[str, str]]:
    """Return where the names that a module lists come from: which module, and its name there."""
    loader = module.__loader__
    source = (isinstance(loader, SourceLoader) and loader.get_source(module.__name__)) or ""
    return {ours or theirs: (origin, theirs) for origin, theirs, ours in _LINE.findall(source)}


def _execute(module: ModuleType) -> None:
    """Execute a deferred module, once. One that fails stays deferred, and fails whoever touches it next."""
    with _loading:
        name, loader = module.__name__, module.__loader__
        if not isinstance(module, _Deferred) or name in _under_way or not isinstance(loader, Loader):
            return
        _under_way.add(name)
        try:
            given = _given(name, vars(module))
            loader.exec_module(module)
            vars(module).update(given)
            module.__class__ = ModuleType  # type: ignore[assignment]
        finally:
            _under_way.remove(name)


def _given(module: str, names: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what others have set in a module, other than the modules inside it that were imported."""
    return {
        name: value
        for name, value in names.items()
        if not name.startswith("__") and (value is None or sys.modules.get(f"{module}.{name}") is not value)
    }
