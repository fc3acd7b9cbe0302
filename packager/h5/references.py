"""The classes and functions that a config names: which are Keras' own, and which come from elsewhere."""

# ruff: noqa: SIM905 - a long list of names reads best as words
from __future__ import annotations

import builtins
import functools
from collections.abc import Collection
from enum import Enum
from typing import NamedTuple

from packager.h5.config import Json, Node, as_text
from packager.h5.keras_names import FUNCTIONS, MARKERS, is_keras_class

_KERAS = frozenset({"keras", "tf_keras"})
_FUNCTION_MODULES = frozenset(
    """
    activations constraints initializers losses metrics ops quantizers random regularizers
    """.split()
)
_CLASS_MODULES = _FUNCTION_MODULES | frozenset(
    """
    dtype_policies engine feature_column layers mixed_precision models premade_models
    """.split()
)
"""The parts of Keras that hold what a model is made of; others download, load, save and configure."""
_INITIALIZERS = frozenset({"tensorflow.python.ops.init_ops", "tensorflow.python.ops.init_ops_v2"})
"""Modules of TensorFlow whose classes tf_keras writes as initializers."""
_NO_PARTS_OF_MODELS = frozenset({"deserialize", "get", "serialize"})
_ACTIVATION_KEYS = ("activation", "recurrent_activation", "inner_activation")


class Origin(Enum):
    """Where a class or function comes from when a model is loaded."""

    KERAS = "keras"
    SUPPLIED = "supplied"
    """By whoever loads the model: it is not in the file, and nothing says where it would be."""
    IMPORT = "import"
    """From a module that the file names."""


class Reference(NamedTuple):
    """A class or function named in a config."""

    kind: str
    """``class`` or ``function``."""
    name: str
    """Under which to supply it."""
    module: str | None
    origin: Origin


def reference_in(node: Node, *, keras3: bool, supplied: Collection[str] = ()) -> Reference | None:
    """Return what a serialized object refers to, ``None`` where ``node`` is none or a plain value.

    ``supplied`` are names that whoever loads the model brings along; Keras prefers them to any module.
    """
    if not node.class_name or node.class_name in MARKERS:
        return None
    module = str(node.value.get("module") or "") or None
    if node.class_name == "function":
        kind, name = "function", as_text(node.value["config"])
        names, origin = {name}, _function_origin(name, module)
    else:
        kind, name = "class", as_text(node.value.get("registered_name")) or node.class_name
        names, origin = {name, node.class_name}, _class_origin(node.class_name, name, module, keras3=keras3)
    origin = Origin.KERAS if names.intersection(supplied) else origin
    return Reference(kind, name, module, origin)


def unknown_activations(config: dict[str, Json]) -> list[str]:
    """Return the activations that a layer's config names in plain text and Keras does not have."""
    names = [as_text(config.get(key)) for key in _ACTIVATION_KEYS]
    return [
        name
        for name in names
        if name and name not in FUNCTIONS and not is_keras_class(name, operations=False)
    ]


@functools.lru_cache(maxsize=1024)
def _function_origin(name: str, module: str | None) -> Origin:
    if module in (None, "builtins"):
        if name in FUNCTIONS:
            return Origin.KERAS
        # tf_keras looks a function it does not know up in the Python module of that name: exec, open.
        return Origin.IMPORT if hasattr(builtins, name.partition(".")[0]) else Origin.SUPPLIED
    allowed = _keras_part(module) in _FUNCTION_MODULES and name not in _NO_PARTS_OF_MODELS
    return Origin.KERAS if allowed else Origin.IMPORT


@functools.lru_cache(maxsize=1024)
def _class_origin(name: str, registered: str, module: str | None, *, keras3: bool) -> Origin:
    if module is not None and _keras_part(module) is None:
        return Origin.IMPORT
    if registered == name and is_keras_class(name, operations=keras3):
        return Origin.KERAS
    # A newer Keras may have this class; what is not spelt like a class is a function of Keras.
    unknown_class = module is None or (
        _keras_part(module) in _CLASS_MODULES and name.isidentifier() and name[0].isupper()
    )
    return Origin.SUPPLIED if unknown_class else Origin.IMPORT


def _keras_part(module: str) -> str | None:
    """Return the part of Keras that a module belongs to (``layers``), ``None`` where it is not Keras'."""
    if module in _INITIALIZERS:
        return "initializers"
    parts = [part for part in module.split(".") if part != "src"]
    if not parts or parts[0] not in _KERAS:
        return None
    return parts[1] if len(parts) > 1 else ""
