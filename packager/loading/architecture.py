"""The architecture that somebody supplies for weights: code they name, or one of Keras' applications."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from packager.errors import UsageError
from packager.loading.usercode import import_named

_APPLICATIONS = "keras.applications"


def call_architecture(reference: str, arguments: Mapping[str, Any], *, keras3: bool) -> Any:
    """Return the model that a function named by the user makes, or that an application is.

    Applications come from the Keras that wrote the weights, without weights: nothing is downloaded.
    Raises UsageError.
    """
    module, _, name = reference.rpartition(":")
    if module.removeprefix("tf_").removeprefix("tensorflow.") == _APPLICATIONS:
        function, arguments = _application(name, keras3=keras3), {**arguments, "weights": None}
    else:
        function = import_named(reference, "--architecture")
    try:
        model = function(**arguments) if callable(function) and not is_model(function) else function
    except Exception as error:  # user code raises whatever it likes
        raise UsageError(
            f"--architecture {reference!r} failed: {type(error).__name__}: {error}",
            hint="its arguments are given by --architecture-arg NAME=VALUE, VALUE as JSON",
        ) from error
    return _checked(model, reference)


def _application(name: str, *, keras3: bool) -> Any:
    if keras3:
        from keras import applications
    else:
        from tf_keras import applications
    if not name[:1].isupper() or not hasattr(applications, name):
        known = sorted(n for n in vars(applications) if n[0].isupper())
        raise UsageError(f"unknown application {name!r}", hint=f"one of {', '.join(known)}")
    return getattr(applications, name)


def _checked(model: Any, reference: str) -> Any:
    if not is_model(model):
        raise UsageError(
            f"--architecture {reference!r} gives {type(model).__name__!r}, which is no Keras model",
            hint="name a function that returns a keras.Model",
        )
    if not getattr(model, "inputs", None) and _built_shape(model) is None:
        raise UsageError(
            f"--architecture {reference!r} gives a model without known inputs",
            hint="begin it with keras.Input(shape=…); one of a class of your own: model.build((None, …))",
        )
    return model


def with_inputs(model: Any, library: ModuleType) -> Any:
    """Return ``model``, or where a class of the user's is built for one input, a graph of that."""
    if getattr(model, "inputs", None):
        return model
    made_by = importlib.import_module("keras" if written_for_keras3(model) else "tf_keras")
    given = made_by.Input(_built_shape(model)[1:])
    with library.building():
        return made_by.Model(given, model(given))


def _built_shape(model: Any) -> Any:
    """Return the shape of the one input that a model was built for, ``None`` where that is not known."""
    shapes = getattr(model, "_build_shapes_dict", None) or {}
    shape: Any = shapes.get("input_shape") if len(shapes) == 1 else getattr(model, "_build_input_shape", None)
    sizes = tuple(shape) if isinstance(shape, Sequence) or hasattr(shape, "as_list") else ()
    return sizes if sizes and all(size is None or isinstance(size, int) for size in sizes) else None


def is_model(value: Any) -> bool:
    """Tell whether ``value`` is a model of either Keras, without importing the other one."""
    return any(
        f"{cls.__module__.partition('.')[0]}.{cls.__name__}" in ("keras.Model", "tf_keras.Model")
        for cls in type(value).__mro__
    )


def written_for_keras3(model: Any) -> bool:
    """Tell which Keras a model is of."""
    return any(cls.__module__.startswith("keras.") for cls in type(model).__mro__)
