"""Which loader takes which file, and what it is given of what the user brought along."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from packager.errors import ModelLoadError, UsageError
from packager.loading.architecture import call_architecture, with_inputs, written_for_keras3
from packager.loading.archives import unpacked
from packager.loading.failures import loader_failures
from packager.loading.keras1 import is_keras1, upgrade
from packager.loading.lambdas import with_functions
from packager.loading.model import LoadedModel
from packager.loading.names import with_valid_names
from packager.loading.olderkeras2 import with_defaults_of_old
from packager.loading.state import forget_state, without_state
from packager.loading.target import Target
from packager.loading.usercode import custom_objects, keras_is_tf_keras
from packager.loading.vocabularies import with_vocabularies
from packager.loading.weights import propose, set_weights
from packager.mapping import NO_MAPPING, WeightMapping, read_mapping, write_proposal
from packager.values import NOTHING_SUPPLIED, FileKind, Inspection, Supplied

Config = Mapping[str, Any]


def load_model(
    inspection: Inspection, config: Config | None, supplied: Supplied = NOTHING_SUPPLIED
) -> LoadedModel:
    """Rebuild the model that ``config`` tells, or the user supplied, with the weights of the file.

    Raises ModelLoadError where the architecture or the weights cannot be rebuilt exactly.
    """
    if inspection.kind is FileKind.SAVED_MODEL:
        from packager.loading import savedmodel

        return savedmodel.load(inspection)
    objects = _objects(inspection, config, supplied)
    config, functions = with_functions(config, supplied)
    kept: Mapping[str, Path] = {}
    if inspection.kind is FileKind.ARCHIVE:
        inspection, kept = unpacked(inspection, config or {})
    config = with_vocabularies(config, dict(supplied.vocabularies), kept)
    objects = {**objects, **functions}
    if config is not None:
        config, stateful = without_state(config)
        model = _load(inspection, config, supplied, objects)
        return dataclasses.replace(model, warnings=(*model.warnings, *map(_begins_afresh, stateful)))
    return _load(inspection, config, supplied, objects)


def _begins_afresh(layer: str) -> str:
    return f"layer {layer!r} is stateful: served, it begins every request afresh"


def _load(
    inspection: Inspection, config: Config | None, supplied: Supplied, objects: Mapping[str, Any]
) -> LoadedModel:
    if inspection.kind is FileKind.FULL_MODEL and config is not None:
        return _load_full(inspection, config, supplied, objects)
    if inspection.kind is FileKind.ARCHIVE:
        return _load_archive(inspection, config, supplied, objects)
    target, published = _target(inspection, config, supplied, objects)
    bindings, warnings = set_weights(
        inspection, target, _mapping(supplied), backend=_backend(inspection, supplied)
    )
    warnings = (*warnings, *map(_begins_afresh, forget_state(target.model)))
    model = with_inputs(target.model, target.library)
    return target.library.loaded(model, bindings, warnings, published)  # type: ignore[no-any-return]


def _load_archive(
    inspection: Inspection, config: Config | None, supplied: Supplied, objects: Mapping[str, Any]
) -> LoadedModel:
    """Rebuild what was unpacked: its weights go where Keras 3 would have kept them."""
    library = _library(inspection.keras_generation or 3)
    with loader_failures(library.name()):
        valid_config, published = with_valid_names(config or {})
        target = Target.of(library.rebuild(valid_config, objects), library)
    weights = dataclasses.replace(inspection, kind=FileKind.KERAS3_WEIGHTS)
    bindings, warnings = set_weights(weights, target, _mapping(supplied))
    return library.loaded(target.model, bindings, warnings, published)  # type: ignore[no-any-return]


def propose_mapping(inspection: Inspection, config: Config | None, supplied: Supplied) -> str:
    """Write a mapping file to start from, for the weights of a file and an architecture."""
    objects = _objects(inspection, config, supplied)
    config, functions = with_functions(config, supplied)
    config = with_vocabularies(config, dict(supplied.vocabularies), {}, required=False)
    target, _ = _target(inspection, config, supplied, {**objects, **functions})
    proposals, left = propose(inspection, target, _mapping(supplied))
    return write_proposal(proposals, [(tensor.name, tensor.shape) for tensor in left])


def _load_full(
    inspection: Inspection, config: Config, supplied: Supplied, objects: Mapping[str, Any]
) -> LoadedModel:
    generation = inspection.keras_generation
    if generation == 3:
        from packager.loading import keras3

        return keras3.load(inspection.path, config, objects=objects)
    if generation == 2:
        from packager.loading import keras2

        return keras2.load(
            inspection.path,
            config,
            version=inspection.keras_version,
            backend=inspection.backend,
            objects=objects,
        )
    if generation == 1:
        from packager.loading import keras2

        return keras2.load_keras1(
            inspection.path,
            config,
            version=inspection.keras_version,
            backend=_backend(inspection, supplied),
            stored={layer.name: [w.shape for w in layer.weights] for layer in inspection.layers},
            objects=objects,
        )
    raise ModelLoadError(
        "the file does not say which Keras wrote it",
        hint="load it with the Keras it was made with and save it again",
    )


def _target(
    inspection: Inspection, config: Config | None, supplied: Supplied, objects: Mapping[str, Any]
) -> tuple[Target, Mapping[str, str]]:
    """Build what the weights are to go into. Raises ModelLoadError where that takes none."""
    target, published = _built(inspection, config, supplied, objects)
    if not target.variables:
        raise ModelLoadError("the architecture has no weights", hint="--architecture names a model to fill")
    return target, published


def _built(
    inspection: Inspection, config: Config | None, supplied: Supplied, objects: Mapping[str, Any]
) -> tuple[Target, Mapping[str, str]]:
    """Build a model from a config that was supplied, else by the user's code."""
    generation = _generation(inspection, config)
    if config is None:
        if supplied.architecture is None:
            raise UsageError("these weights need an architecture", hint="--architecture module:function")
        with _library(generation).building():
            model = call_architecture(supplied.architecture, dict(supplied.arguments), keras3=generation == 3)
        library = _library(3 if written_for_keras3(model) else 2)
        with_inputs(model, library)  # which is what makes the variables of a class of the user's
        return Target.of(model, library), {}
    library = _library(generation)
    with loader_failures(library.name()):
        valid_config, published = with_valid_names(_todays(config) if generation == 2 else config)
        return Target.of(library.build(valid_config, objects), library), published


def _todays(config: Config) -> Config:
    return upgrade(config) if is_keras1(config) else with_defaults_of_old(config)


def _generation(inspection: Inspection, config: Config | None) -> int:
    """Tell which Keras an architecture beside the weights is for: it may say so itself."""
    if config is not None and (version := str(config.get("keras_version", ""))):
        return 3 if version.startswith("3") else 2
    if inspection.kind is FileKind.WEIGHTS:
        return 2 if inspection.keras_generation in (None, 1, 2) else 3
    return 3


def _library(generation: int) -> ModuleType:
    if generation == 3:
        from packager.loading import keras3

        return keras3
    from packager.loading import keras2

    return keras2


def _objects(inspection: Inspection, config: Config | None, supplied: Supplied) -> Mapping[str, Any]:
    """Import the user's code, and see that it has all that the file needs and Keras has not."""
    if _generation_of_code(inspection, config) != 3:
        keras_is_tf_keras()
    objects = custom_objects(supplied.custom_objects)
    missing = [name for name in inspection.custom_classes if _plain(name) not in objects]
    if missing:
        raise ModelLoadError(
            f"unknown {', '.join(map(repr, missing))}: neither Keras nor "
            f"{', '.join(supplied.custom_objects) or 'the file'} defines it",
            hint="--custom-objects file.py, or a module that defines it",
        )
    names = {name: objects[_plain(name)] for name in inspection.custom_classes}
    return {**objects, **names}


def _generation_of_code(inspection: Inspection, config: Config | None) -> int:
    if inspection.kind.has_architecture:
        return inspection.keras_generation or 2
    return _generation(inspection, config)


def _plain(name: str) -> str:
    """Return a class's own name: a registered one is ``package>Class``."""
    return name.rpartition(">")[2]


def _mapping(supplied: Supplied) -> WeightMapping:
    return read_mapping(supplied.mapping) if supplied.mapping else NO_MAPPING


def _backend(inspection: Inspection, supplied: Supplied) -> str | None:
    """Return the backend that wrote the weights: TensorFlow alone ends the names of variables in ``:0``."""
    if inspection.backend or supplied.keras1_backend:
        return inspection.backend or supplied.keras1_backend
    paths = [weight.path for layer in inspection.layers for weight in layer.weights]
    return "tensorflow" if paths and all(path.endswith(":0") for path in paths) else None
