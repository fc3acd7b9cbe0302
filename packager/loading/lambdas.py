"""The functions of Lambda layers: those that the user names, and bytecode of the file where they allow it.

Either way Keras is given a function by name, and stays in its safe mode.
"""

from __future__ import annotations

import base64
import binascii
import builtins
import marshal
import math
import platform
from collections.abc import Mapping, Sequence
from types import CellType, CodeType, FunctionType
from typing import Any

from packager.errors import ModelLoadError, UsageError
from packager.loading.usercode import import_named
from packager.values import Supplied, lambda_name

Config = Mapping[str, Any]
Functions = dict[str, Any]


def with_functions(config: Config | None, supplied: Supplied) -> tuple[Config | None, Functions]:
    """Return the architecture with the functions of its Lambda layers by name, and these functions.

    Runs nothing of the file unless ``supplied`` allows it. Raises UsageError or ModelLoadError.
    """
    functions = {lambda_name(layer): _imported(layer, what) for layer, what in supplied.lambdas}
    if config is None:
        return None, functions
    return _by_name(config, functions, run=supplied.allow_unsafe_lambda), functions


def _imported(layer: str, reference: str) -> Any:
    function = import_named(reference, "--lambda")
    if not callable(function):
        raise UsageError(
            f"--lambda {layer}={reference} names a {type(function).__name__!r}, no function",
            hint=f"--lambda {layer}=file.py:function",
        )
    return function


def _by_name(value: Any, functions: Functions, *, run: bool) -> Any:
    """Return a part of the architecture with the functions of Lambda layers named as Keras finds them."""
    if isinstance(value, list):
        return [_by_name(item, functions, run=run) for item in value]
    if not isinstance(value, Mapping):
        return value
    config = value.get("config")
    if value.get("class_name") == "Lambda" and isinstance(config, Mapping):
        layer, function = str(config.get("name")), config.get("function")
        if run and (code := _stored(config)):
            name = lambda_name(layer)
            functions[name] = _function(layer, *code)
            return {**value, "config": _named(config, name)}
        if isinstance(function, str) and config.get("function_type") == "function":
            return {**value, "config": {**config, "function": _reference(function)}}
    return {key: _by_name(inner, functions, run=run) for key, inner in value.items()}


def _stored(config: Config) -> tuple[Any, Any, Any] | None:
    """Return the code, defaults and closure of a Lambda layer, ``None`` where it names a function."""
    function = config.get("function")
    if isinstance(function, Mapping) and function.get("class_name") == "__lambda__":
        inner = function.get("config", {})
        return inner.get("code"), inner.get("defaults"), inner.get("closure")
    if config.get("function_type") != "lambda":
        return None
    parts = [*(function if isinstance(function, list) else [function]), None, None]
    return parts[0], parts[1], parts[2]


def _named(config: Config, name: str) -> dict[str, Any]:
    old = {"function_type": "function", "output_shape_type": "raw"} if "function_type" in config else {}
    return {**config, "function": _reference(name), "output_shape": None, **old}


def _reference(name: str) -> dict[str, Any]:
    """Refer to a function as Keras 3 does: tf_keras looks a plain name up twice, and fails."""
    return {"class_name": "function", "config": name, "module": "builtins", "registered_name": "function"}


def _function(layer: str, code: Any, defaults: Any, closure: Any) -> Any:
    """Make the function that bytecode is of; it finds the names that such functions commonly use."""
    try:
        loaded = marshal.loads(_bytes(code))
        if not isinstance(loaded, CodeType):
            raise TypeError(f"{type(loaded).__name__} is no code")
        cells = tuple(CellType(value) for value in closure or ()) or None
        return FunctionType(loaded, _globals(), layer, _tuple(defaults), cells)
    except (ValueError, TypeError, EOFError) as error:
        raise ModelLoadError(
            f"layer {layer!r}: Python {platform.python_version()} cannot run its bytecode: {error}",
            hint=f"--lambda {layer}=module:function",
        ) from error


def _bytes(code: str) -> bytes:
    try:
        return base64.b64decode(code.encode("ascii"))
    except (UnicodeEncodeError, binascii.Error):
        return code.encode("raw_unicode_escape")  # as Keras stored it up to 2.0


def _tuple(defaults: Sequence[Any] | None) -> tuple[Any, ...] | None:
    return tuple(defaults) if defaults else None


def _globals() -> dict[str, Any]:
    import keras  # tf_keras, where that is what wrote the file
    import numpy as np
    import tensorflow as tf

    names = {"tf": tf, "tensorflow": tf, "np": np, "numpy": np, "math": math}
    return {**names, "keras": keras, "K": keras.backend, "backend": keras.backend, "__builtins__": builtins}
