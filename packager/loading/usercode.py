"""Code that the user names: imported because they do, and only in the process that loads the model."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from packager.errors import PackagerError, UsageError


def import_named(reference: str, option: str) -> Any:
    """Return what ``file.py:name`` or ``module:name`` names, or raise UsageError."""
    module_name, colon, name = reference.rpartition(":")
    if not (colon and module_name and name):
        raise UsageError(
            f"invalid {option} {reference!r}", hint=f"{option} file.py:function, or module:function"
        )
    found: Any = import_module(module_name, option)
    for part in name.split("."):
        if not hasattr(found, part):
            raise UsageError(f"{module_name!r} has no {name!r}", hint=f"{option} {module_name}:NAME")
        found = getattr(found, part)
    return found


def import_module(name: str, option: str) -> ModuleType:
    """Import a module by name, or a file by its path; the present folder is searched as Python's -m does."""
    try:
        if name.endswith(".py"):
            return _import_file(Path(name), option)
        sys.path.insert(0, str(Path.cwd()))
        return importlib.import_module(name)
    except PackagerError:
        raise
    except Exception as error:  # user code raises whatever it likes
        raise UsageError(
            f"{option} {name!r} cannot be imported: {type(error).__name__}: {error}",
            hint="run it with python first: it needs the packages that are installed here",
        ) from error


def _import_file(path: Path, option: str) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"{option}: no file {str(path)!r}", hint="check the path")
    sys.path.insert(0, str(path.resolve().parent))  # files beside it are its own modules
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{option} {str(path)!r} is no Python file", hint=f"{option} file.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def custom_objects(sources: tuple[str, ...]) -> dict[str, Any]:
    """Return the classes and functions that modules or files define, by every name a config may use."""
    objects: dict[str, Any] = {}
    for source in sources:
        module = import_module(source, "--custom-objects")
        for name, value in vars(module).items():
            if callable(value) and not name.startswith("_"):
                objects[name] = value
    return objects


def keras_is_tf_keras() -> None:
    """Let code that was written for Keras 2 find it: ``import keras`` gives tf_keras from now on."""
    import tf_keras

    sys.modules["keras"] = tf_keras
