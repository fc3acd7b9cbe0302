"""Rebuilding files written by Keras 3, with Keras 3."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
from keras.src.legacy.saving import json_utils, saving_options, saving_utils
from keras.src.saving import saving_lib, serialization_lib

from packager.errors import ModelLoadError
from packager.loading.bindings import layer_pairs, prove_bindings, set_layers
from packager.loading.deferred import hold, unwrapped
from packager.loading.failures import loader_failures
from packager.loading.folding import folds
from packager.loading.frugal import frugal_answering, frugal_building
from packager.loading.inputs import describe_inputs, describe_outputs
from packager.loading.model import LoadedModel
from packager.loading.names import with_valid_names
from packager.loading.operations import operation_classes, with_operations
from packager.loading.places import Place
from packager.loading.resources import resources_of
from packager.values import Binding

NO_OBJECTS: Mapping[str, Any] = {}


def name() -> str:
    """Return the library with its version."""
    return f"keras {keras.__version__}"


def load(path: Path, config: Mapping[str, Any], *, objects: Mapping[str, Any] = NO_OBJECTS) -> LoadedModel:
    """Rebuild ``config`` with the weights in ``path``; never compiles, never runs code from the file.

    ``objects`` are custom classes and functions by name.
    """
    with loader_failures(name()), h5py.File(path, "r") as file:
        valid_config, published = with_valid_names(with_operations(config))
        model = build(valid_config, objects)
        order = [(layer.name, variables) for layer, variables in legacy_order(model)]
        pairs = layer_pairs(file["model_weights"], order, top_level(model))
        set_layers(pairs)
        finalize(model)
        bindings, warnings = prove_bindings(pairs)
    return loaded(model, bindings, warnings, published)


def build(config: Mapping[str, Any], objects: Mapping[str, Any]) -> keras.Model:
    """Build the architecture the way ``keras.models.load_model`` does for HDF5, in its safe mode."""
    legacy, safe = (
        saving_options.keras_option_scope(use_legacy_config=True),
        serialization_lib.SafeModeScope(True),
    )
    known = {**operation_classes(), **objects}
    with legacy, safe, keras.saving.custom_object_scope(known), frugal_building():
        # given twice: inside a layer, Keras looks among those of the argument alone
        return saving_utils.model_from_config(json_utils.decode(json.dumps(config)), custom_objects=known)


def rebuild(config: Mapping[str, Any], objects: Mapping[str, Any]) -> keras.Model:
    """Build the architecture of a ``.keras`` archive, which records the module of everything in it."""
    scope = keras.saving.custom_object_scope(dict(objects))
    with serialization_lib.SafeModeScope(True), scope, frugal_building():
        model = serialization_lib.deserialize_keras_object(dict(config), custom_objects=dict(objects))
    if not hasattr(getattr(model, "_functional", None) or model, "_inputs_struct"):
        raise ModelLoadError(
            f"the archive holds a {type(model).__name__!r}, which is no graph of layers with known inputs",
            hint="make it a functional model, keras.Model(inputs, outputs), and save it again",
        )
    return model


def building() -> contextlib.AbstractContextManager[None]:
    """Leave the large variables of what is built inside without numbers."""
    return frugal_building()


def finalize(model: keras.Model) -> None:
    """Let layers compute what follows from their weights, as Normalization does."""
    for layer in model._flatten_layers(include_self=False):
        if layer.variables and hasattr(layer, "finalize_state"):
            layer.finalize_state()


def loaded(
    model: keras.Model,
    bindings: tuple[Binding, ...],
    warnings: tuple[str, ...],
    published: Mapping[str, str],
) -> LoadedModel:
    """Describe a model whose weights are set; ``published`` are names given back to layers."""
    return LoadedModel(
        call=_caller(model),
        variables=tuple(map(unwrapped, model.variables)),
        hold=lambda: hold(model.variables),
        folds=lambda: tuple(folds(model, keras.layers)),
        resources=resources_of(model),
        inputs=describe_inputs(model, _names(model.inputs, published)),
        outputs=describe_outputs(model, _names(model.outputs, published)),
        bindings=bindings,
        parameters=model.count_params(),
        loader=name(),
        warnings=warnings,
    )


def legacy_order(model: keras.Model) -> list[tuple[Any, list[Any]]]:
    """Return layers with their variables in the order of the layout of Keras 1 and 2."""
    return [(layer, layer.trainable_weights + layer.non_trainable_weights) for layer in model.layers]


def top_level(model: keras.Model) -> list[Any]:
    """Return variables that belong to the model itself and to none of its layers."""
    ids = {id(v) for v in model.weights}
    return [v for v in model._trainable_variables + model._non_trainable_variables if id(v) in ids]


def convert_weights(_layer: Any, arrays: Sequence[Any], **_writer: str | None) -> list[Any]:
    """Return the weights as they are: what older Keras kept otherwise, only tf_keras can turn."""
    return list(arrays)


def places(model: keras.Model) -> list[Place]:
    """Return the groups into which ``save_weights`` would put the model's variables."""
    recorder = _Recorder()
    saving_lib._save_state(model, recorder, None, inner_path="", visited_saveables=set())
    return [
        Place(path=path, name=name, variables=entries) for (path, name), entries in recorder.groups.items()
    ]


class _Recorder(saving_lib.H5IOStore):  # type: ignore[misc]
    """Takes the place of a weights file, and remembers what would go where."""

    def __init__(self) -> None:
        self.groups: dict[tuple[str, str | None], dict[str, Any]] = {}

    def __bool__(self) -> bool:
        return True

    def make(self, path: str, metadata: Mapping[str, str] | None = None) -> dict[str, Any]:
        return self.groups.setdefault((path, (metadata or {}).get("name")), {})


def _names(tensors: Sequence[Any], published: Mapping[str, str]) -> list[str]:
    names = [tensor._keras_history.operation.name for tensor in tensors]
    return [published.get(name, name) for name in names]


def _caller(model: keras.Model) -> Callable[[Sequence[Any]], Sequence[Any]]:
    functional = getattr(model, "_functional", None) or model  # a Sequential wraps its graph
    structure = functional._inputs_struct

    def call(tensors: Sequence[Any]) -> Sequence[Any]:
        with frugal_answering():
            answer = model(keras.tree.pack_sequence_as(structure, list(tensors)), training=False)
        return list(keras.tree.flatten(answer))

    return call
