"""Rebuilding files written by Keras 2 (and tf.keras up to TensorFlow 2.15), with tf_keras."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import tensorflow as tf
import tf_keras
from tf_keras.src.saving import serialization_lib
from tf_keras.src.saving.legacy import hdf5_format, model_config
from tf_keras.src.saving.legacy.saved_model import json_utils

from packager.loading.bindings import prove_bindings
from packager.loading.failures import loader_failures
from packager.loading.inputs import describe_inputs, describe_outputs
from packager.loading.model import LoadedModel
from packager.loading.names import with_valid_names


def load(path: Path, config: Mapping[str, Any]) -> LoadedModel:
    """Rebuild ``config`` with the weights in ``path``; never compiles, never runs code from the file."""
    loader = f"tf_keras {tf_keras.__version__}"
    valid_config, published = with_valid_names(config)
    with loader_failures(loader), h5py.File(path, "r") as file:
        model = _build(valid_config)
        weights = file["model_weights"]
        hdf5_format.load_weights_from_hdf5_group(weights, model)
        bindings, warnings = prove_bindings(
            weights, _legacy_order(model), model._trainable_weights + model._non_trainable_weights
        )
    return LoadedModel(
        call=_caller(model),
        inputs=describe_inputs(model, [published.get(name, name) for name in model.input_names]),
        outputs=describe_outputs(model, [published.get(name, name) for name in model.output_names]),
        bindings=bindings,
        parameters=model.count_params(),
        loader=loader,
        warnings=warnings,
    )


def _build(config: Mapping[str, Any]) -> tf_keras.Model:
    """Build the architecture in safe mode, which tf_keras itself never switches on for HDF5."""
    with serialization_lib.SafeModeScope(True):
        return model_config.model_from_config(json_utils.decode(json.dumps(config)))


def _legacy_order(model: tf_keras.Model) -> list[tuple[str, list[Any]]]:
    return [(layer.name, layer.trainable_weights + layer.non_trainable_weights) for layer in model.layers]


def _caller(model: tf_keras.Model) -> Callable[[Sequence[Any]], Sequence[Any]]:
    structure = model._nested_inputs

    def call(tensors: Sequence[Any]) -> Sequence[Any]:
        answer = model(tf.nest.pack_sequence_as(structure, list(tensors)), training=False)
        return list(tf.nest.flatten(answer))

    return call
