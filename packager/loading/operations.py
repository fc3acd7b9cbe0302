"""Operations of Keras 3 in an architecture that was saved as HDF5, which tells them from layers by little.

``x + 1`` and ``keras.ops.mean(x)`` are nodes of class ``Add`` and ``Mean``. Keras looks for those among its
layers alone, finds none or a wrong one, and HDF5 files do not record the module. A layer's config, however,
always tells ``trainable`` and ``dtype``, an operation's never both.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from typing import Any

import keras

_MODULES = ("core", "einops", "image", "linalg", "math", "nn", "numpy")
_PREFIX = "ops."


@functools.cache
def operation_classes() -> Mapping[str, type]:
    """Return all operations of ``keras.ops`` by the names that ``with_operations`` gives them."""
    found: dict[str, type] = {}
    for name in _MODULES:
        try:
            module = importlib.import_module(f"keras.src.ops.{name}")
        except ImportError:  # einops came with Keras 3.5
            continue
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, keras.Operation)
                and value.__module__ == module.__name__
            ):
                found[_PREFIX + value.__name__] = value
    return found


def with_operations(config: Any) -> Any:
    """Name the operations of an architecture so that they are found as ``operation_classes``."""
    if isinstance(config, list):
        return [with_operations(value) for value in config]
    if not isinstance(config, Mapping):
        return config
    done = {key: with_operations(value) for key, value in config.items()}
    class_name, inner = done.get("class_name"), done.get("config")
    if isinstance(class_name, str) and isinstance(inner, dict):
        if "inbound_nodes" in done and not {"trainable", "dtype"} <= inner.keys():
            known = _PREFIX + class_name in operation_classes()
            done["class_name"] = _PREFIX + class_name if known else class_name
        if class_name == "Attention" and inner.get("score_mode") == "dot":
            del inner[
                "score_mode"
            ]  # Keras takes the word for its function keras.layers.dot; it is the default
    return done
