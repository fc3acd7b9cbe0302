"""Rebuilding files written by Keras 3, with Keras 3."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
from keras.src.legacy.saving import json_utils, legacy_h5_format, saving_options, saving_utils
from keras.src.saving import serialization_lib

from packager.loading.bindings import prove_bindings
from packager.loading.failures import loader_failures
from packager.loading.inputs import describe_inputs, describe_outputs
from packager.loading.model import LoadedModel
from packager.loading.names import with_valid_names


def load(path: Path, config: Mapping[str, Any]) -> LoadedModel:
    """Rebuild ``config`` with the weights in ``path``; never compiles, never runs code from the file."""
    loader = f"keras {keras.__version__}"
    valid_config, published = with_valid_names(config)
    with loader_failures(loader), h5py.File(path, "r") as file:
        model = _build(valid_config)
        weights = file["model_weights"]
        legacy_h5_format.load_weights_from_hdf5_group(weights, model)
        bindings, warnings = prove_bindings(weights, _legacy_order(model), _own_variables(model))
    return LoadedModel(
        call=_caller(model),
        inputs=describe_inputs(model, _names(model.inputs, published)),
        outputs=describe_outputs(model, _names(model.outputs, published)),
        bindings=bindings,
        parameters=model.count_params(),
        loader=loader,
        warnings=warnings,
    )


def _build(config: Mapping[str, Any]) -> keras.Model:
    """Build the architecture the way ``keras.models.load_model`` does for HDF5, in its safe mode."""
    with saving_options.keras_option_scope(use_legacy_config=True), serialization_lib.SafeModeScope(True):
        return saving_utils.model_from_config(json_utils.decode(json.dumps(config)))


def _legacy_order(model: keras.Model) -> list[tuple[str, list[Any]]]:
    return [(layer.name, layer.trainable_weights + layer.non_trainable_weights) for layer in model.layers]


def _own_variables(model: keras.Model) -> list[Any]:
    """Variables that belong to the model itself and to none of its layers."""
    ids = {id(v) for v in model.weights}
    return [v for v in model._trainable_variables + model._non_trainable_variables if id(v) in ids]


def _names(tensors: Sequence[Any], published: Mapping[str, str]) -> list[str]:
    names = [tensor._keras_history.operation.name for tensor in tensors]
    return [published.get(name, name) for name in names]


def _caller(model: keras.Model) -> Callable[[Sequence[Any]], Sequence[Any]]:
    functional = getattr(model, "_functional", None) or model  # a Sequential wraps its graph
    structure = functional._inputs_struct

    def call(tensors: Sequence[Any]) -> Sequence[Any]:
        answer = model(keras.tree.pack_sequence_as(structure, list(tensors)), training=False)
        return list(keras.tree.flatten(answer))

    return call
