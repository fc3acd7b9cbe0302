"""Print what the public names of TensorFlow and Keras stand for: ``python public_names.py plain|sparing``."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from types import ModuleType

LISTS = ("tensorflow._api.v2", "keras._tf_keras", "keras.wrappers", "tf_keras.preprocessing")


def modules(root: str) -> Iterator[ModuleType]:
    """Yield a package and all inside it, touched: it may say itself where its modules are."""
    package = importlib.import_module(root)
    yield touched(package)
    for found in pkgutil.walk_packages(package.__path__, f"{root}."):
        yield touched(importlib.import_module(found.name))


def touched(module: ModuleType) -> ModuleType:
    getattr(module, "__all__", None)
    return module


def main() -> None:
    if sys.argv[1] == "plain":
        import tensorflow as tf
    else:
        from packager.importing import import_tensorflow

        tf = import_tensorflow()
    for module in [module for root in LISTS for module in modules(root)]:
        for name in sorted(dir(module)):
            value = getattr(module, name)
            if not name.startswith("_") and not isinstance(value, ModuleType):
                origin = getattr(value, "__qualname__", type(value).__name__)
                print(module.__name__, name, getattr(value, "__module__", None), origin)
            elif not name.startswith("_"):
                print(module.__name__, name)
    print(*sorted(name for name in dir(tf) if not name.startswith("_")))


if __name__ == "__main__":
    main()
