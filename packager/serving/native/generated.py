"""TensorFlow's generated protobuf modules, imported without running the tensorflow package."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from packager.serving.native.library import tensorflow_folder


@functools.cache
def generated(module: str) -> Any:
    """Import a generated module by its path inside tensorflow, ``core.example.example_pb2``.

    A bare module stands in for the package, so nothing of it runs: its own ``__init__`` takes seconds
    and hundreds of megabytes. An image need not even contain it.
    """
    if "tensorflow" not in sys.modules:
        package = ModuleType("tensorflow")
        package.__path__ = [str(tensorflow_folder())]
        sys.modules["tensorflow"] = package
    return importlib.import_module(f"tensorflow.{module}")


def with_dependencies(files: Iterable[Any]) -> list[Any]:
    """Return descriptors of files after those that they need, each once."""
    ordered: dict[str, Any] = {}
    for file in files:
        for needed in (*with_dependencies(file.dependencies), file):
            ordered.setdefault(needed.name, needed)
    return list(ordered.values())
