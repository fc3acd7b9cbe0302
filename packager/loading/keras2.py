"""Rebuilding files written by Keras 2 (and tf.keras up to TensorFlow 2.15), with tf_keras."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import tensorflow as tf
import tf_keras
from tf_keras.src.saving import serialization_lib
from tf_keras.src.saving.legacy import hdf5_format, model_config
from tf_keras.src.saving.legacy.saved_model import json_utils
from tf_keras.src.utils.version_utils import ModelVersionSelector

from packager.deferral import is_untouched
from packager.loading import keras1_layers
from packager.loading.bindings import Convert, layer_pairs, prove_bindings, set_layers
from packager.loading.channels import compute_channels_last
from packager.loading.deferred import DeferredVariable, deferred_variables, hold, in_pieces, unwrapped
from packager.loading.failures import loader_failures
from packager.loading.folding import folds
from packager.loading.inputs import describe_inputs, describe_outputs
from packager.loading.keras1 import Shapes, upgrade
from packager.loading.keras2_places import places_of
from packager.loading.model import LoadedModel
from packager.loading.names import with_valid_names
from packager.loading.olderkeras2 import with_defaults_of_old
from packager.loading.outputshapes import infer_output
from packager.loading.places import Place
from packager.loading.resources import resources_of
from packager.loading.theano import compute_as_theano
from packager.loading.writers import require_backend
from packager.pieces import multiplied
from packager.replaced import replaced
from packager.values import Binding

NO_OBJECTS: Mapping[str, Any] = {}


def name() -> str:
    """Return the library with its version."""
    return f"tf_keras {tf_keras.__version__}"


def load(
    path: Path,
    config: Mapping[str, Any],
    *,
    version: str | None,
    backend: str | None = None,
    objects: Mapping[str, Any] = NO_OBJECTS,
) -> LoadedModel:
    """Rebuild ``config`` with the weights in ``path``; never compiles, never runs code from the file.

    Keras ``version`` wrote it, on ``backend``; ``objects`` are custom classes by name.
    """
    with loader_failures(name()), h5py.File(path, "r") as file:
        valid_config, published = with_valid_names(with_defaults_of_old(config))
        model = build(valid_config, objects)
        weights = file["model_weights"]
        order = [(layer.name, variables) for layer, variables in legacy_order(model)]
        pairs = layer_pairs(weights, order, top_level(model))
        set_layers(pairs, _converter(model, _version(weights)))
        if backend == "theano":
            compute_as_theano(model, version)
        finalize(model)
        bindings, warnings = prove_bindings(pairs)
    return loaded(model, bindings, warnings, published)


def load_keras1(
    path: Path,
    config: Mapping[str, Any],
    *,
    version: str | None,
    backend: str | None,
    stored: Shapes,
    objects: Mapping[str, Any] = NO_OBJECTS,
) -> LoadedModel:
    """Rebuild ``config``, as Keras 1 wrote it, with the weights in ``path`` as Keras 1 kept them.

    ``stored`` are the shapes of those by layer.
    """
    with loader_failures(name()), h5py.File(path, "r") as file:
        valid_config, published = with_valid_names(upgrade(config, stored=stored, backend=backend))
        model = build(valid_config, {**keras1_layers.CLASSES, **objects})
        require_backend(model, version, backend)
        order = [(layer.name, variables) for layer, variables in legacy_order(model)]
        pairs = layer_pairs(file["model_weights"], order, top_level(model))
        set_layers(pairs, _converter(model, "1"))
        if backend == "theano":
            compute_as_theano(model, version)
        finalize(model)
        bindings, warnings = prove_bindings(pairs)
    return loaded(model, bindings, warnings, published)


def build(config: Mapping[str, Any], objects: Mapping[str, Any]) -> tf_keras.Model:
    """Build the architecture in safe mode, which tf_keras itself never switches on for HDF5."""
    scope = tf_keras.utils.custom_object_scope(dict(objects))
    with serialization_lib.SafeModeScope(True), scope, building():
        return model_config.model_from_config(json_utils.decode(json.dumps(config)))


def rebuild(config: Mapping[str, Any], objects: Mapping[str, Any]) -> tf_keras.Model:
    """Build the architecture of a ``.keras`` archive, as that of an HDF5 file: it is no other."""
    return build(config, objects)


def loaded(
    model: tf_keras.Model,
    bindings: tuple[Binding, ...],
    warnings: tuple[str, ...],
    published: Mapping[str, str],
) -> LoadedModel:
    """Describe a model whose weights are set; ``published`` are names given back to layers."""
    compute_channels_last(model)
    return LoadedModel(
        call=_caller(model),
        variables=tuple(map(unwrapped, model.variables)),
        hold=lambda: hold(model.variables),
        folds=lambda: tuple(folds(model, tf_keras.layers)),
        resources=resources_of(model),
        inputs=describe_inputs(model, [published.get(name, name) for name in model.input_names]),
        outputs=describe_outputs(model, [published.get(name, name) for name in model.output_names]),
        bindings=bindings,
        parameters=model.count_params(),
        loader=name(),
        warnings=warnings,
    )


@contextlib.contextmanager
def building() -> Iterator[None]:
    """Leave the large variables of what is built inside without numbers, and make no graphs to see shapes."""
    shapes = replaced(tf_keras.layers.Layer, "_infer_output_signature", infer_output)
    with deferred_variables(), replaced(ModelVersionSelector, "__new__", _new), shapes:
        yield


_original_new = ModelVersionSelector.__new__


def _new(cls: Any, *args: Any, **options: Any) -> Any:
    """Do what tf_keras does, but do not import models of TensorFlow 1 to see that a class is none of them."""
    if is_untouched("tf_keras.src.engine.training_v1"):
        return super(ModelVersionSelector, cls).__new__(cls)
    return _original_new(cls, *args, **options)


def finalize(model: tf_keras.Model) -> None:
    """Let layers compute what follows from their weights, as Normalization does."""
    for layer in model._flatten_layers():
        layer.finalize_state()


def _version(weights: h5py.Group) -> str:
    """Return the version of the Keras that kept the weights; Keras 1 told none."""
    version = weights.attrs.get("keras_version", "1")
    return version.decode() if isinstance(version, bytes) else str(version)


def _converter(model: tf_keras.Model, version: str) -> Convert:
    """Return what turns the weights of a layer, which goes by its name, into those of today."""
    layers = {layer.name: layer for layer in model.layers}

    def convert(name: str, arrays: list[Any]) -> list[Any]:
        return convert_weights(layers[name], arrays, version=version) if name in layers else arrays

    return convert


def legacy_order(model: tf_keras.Model) -> list[tuple[Any, list[Any]]]:
    """Return layers with their variables in the order of the layout of Keras 1 and 2."""
    return [(layer, layer.trainable_weights + layer.non_trainable_weights) for layer in model.layers]


def top_level(model: tf_keras.Model) -> list[Any]:
    """Return variables that belong to the model itself and to none of its layers."""
    return list(model._trainable_weights + model._non_trainable_weights)


def convert_weights(layer: Any, arrays: Sequence[Any], *, version: str | None) -> list[Any]:
    """Turn weights as Keras ``version`` kept them into those of ``layer``'s variables."""
    generation = "1" if version is None or version.startswith("1") else version
    if generation == "1":
        arrays = keras1_layers.arrange(layer, arrays)
    return list(hdf5_format.preprocess_weights_for_loading(layer, list(arrays), generation, "tensorflow"))


def places(model: tf_keras.Model) -> list[Place]:
    """Return the groups into which ``save_weights`` would put the model's variables."""
    return list(places_of(model))


def _caller(model: tf_keras.Model) -> Callable[[Sequence[Any]], Sequence[Any]]:
    structure = model._nested_inputs

    def call(tensors: Sequence[Any]) -> Sequence[Any]:
        with replaced(tf.compat.v2, "matmul", _matmul):
            answer = model(tf.nest.pack_sequence_as(structure, list(tensors)), training=False)
        return list(tf.nest.flatten(answer))

    return call


_original_matmul = tf.compat.v2.matmul


def _matmul(a: Any, b: Any, **options: Any) -> Any:
    """Multiply as TensorFlow does, but with a large matrix that is in its file piece by piece."""
    stored = in_pieces(b) if isinstance(b, DeferredVariable) else None  # none that casts itself
    if stored is None or options or a.dtype != b.dtype:
        return _original_matmul(a, b, **options)
    return multiplied([a], stored)[0]
