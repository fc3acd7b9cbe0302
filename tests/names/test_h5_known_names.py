"""The tables of names that inspection trusts fit the libraries that will load the model."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

from packager.h5.keras_names import FUNCTIONS, is_keras_class
from packager.h5.tensorflow_names import is_tensor_function, is_tensor_operation

pytestmark = pytest.mark.tensorflow

PARTS = ("layers", "models", "initializers", "constraints", "regularizers")
NO_LAYERS = {"Input", "InputSpec"}
SUSPECT_WORDS = {
    *(
        "call",
        "checkpoint",
        "dataset",
        "file",
        "filesystem",
        "func",
        "function",
        "generator",
        "iterator",
        "library",
    ),
    *(
        "load",
        "print",
        "py",
        "queue",
        "read",
        "restore",
        "save",
        "seed",
        "session",
        "summary",
        "table",
        "write",
    ),
}


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_every_public_class_of_keras_is_known(library: str) -> None:
    keras = importlib.import_module(library)
    names = {
        name
        for part in PARTS
        for name, value in vars(getattr(keras, part)).items()
        if inspect.isclass(value) and name[0].isupper()
    }
    assert {name for name in names - NO_LAYERS if not is_keras_class(name, operations=False)} == set()


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_every_activation_of_keras_is_known(library: str) -> None:
    activations = vars(importlib.import_module(library).activations)
    names = {name for name, value in activations.items() if inspect.isfunction(value)}
    assert names - FUNCTIONS == {"deserialize", "get", "serialize"}


def test_every_operation_of_keras3_is_known() -> None:
    from keras.src.ops.operation import Operation

    for module in ("core", "einops", "image", "linalg", "math", "nn", "numpy"):
        importlib.import_module(f"keras.src.ops.{module}")
    names = {kind.__name__ for kind in subclasses(Operation) if kind.__module__.startswith("keras.src.ops.")}
    assert {name for name in names if not is_keras_class(name, operations=True)} == set()


def subclasses(kind: type[Any]) -> set[type[Any]]:
    below = set(kind.__subclasses__())
    return below.union(*map(subclasses, below))


def test_no_tensorflow_function_that_is_let_through_touches_more_than_tensors() -> None:
    from tensorflow.python.util import tf_export

    symbols = [name for name in tf_export._NAME_TO_SYMBOL_MAPPING if is_tensor_function(name)]
    assert len(symbols) > 900
    found = [name for name in symbols if SUSPECT_WORDS & set(name.rpartition(".")[2].split("_"))]
    assert found == []


def test_tensorflow_operations_that_are_let_through_are_stateless() -> None:
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session

    listed = op_def_pb2.OpList()
    listed.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    stateful = {operation.name for operation in listed.op if operation.is_stateful}
    known = {operation.name for operation in listed.op if is_tensor_operation(operation.name)}
    assert len(known) > 300
    assert all(name.startswith(("Random", "Truncated", "Multinomial")) for name in known & stateful)
