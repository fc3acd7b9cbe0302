"""What a config says of the model: its layers, what it takes, and what it gives.

Configs of Keras 1, 2 and 3 differ in where they keep things; here is the only place that knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packager.h5.config import Json, Node, as_list, as_object, as_text, config_of
from packager.h5.references import Origin, reference_in
from packager.values import Shape, TensorSpec

_WRAPPED = ("layer", "backward_layer")
_SHAPE_KEYS = ("batch_shape", "batch_input_shape")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerConfig:
    """One layer of the architecture with those inside it: of a nested model, or of a wrapper."""

    name: str
    class_name: str
    custom: bool
    inner: tuple[LayerConfig, ...]
    wrapper: bool
    """Whether ``inner`` is what it wraps, and its weights are theirs."""


def written_by_keras3(nodes: Iterable[Node]) -> bool:
    """Tell by its structure whether Keras 3 wrote a config, whatever version the file records."""
    for node in nodes:
        if node.class_name in ("DTypePolicy", "DTypePolicyMap", "__keras_tensor__"):
            return True
        if node.class_name == "InputLayer" and "batch_shape" in node.config:
            return True
    return False


def model_layers(config: dict[str, Json], *, keras3: bool) -> tuple[LayerConfig, ...]:
    """Return the model's layers in the order of the config."""
    return tuple(_layer(entry, keras3=keras3) for entry in _entries(config))


def _entries(model: Json) -> list[Json]:
    """Return the layers of a model: Sequential of Keras 1 and early Keras 2 has a list for a config."""
    inner = as_object(model).get("config")
    return as_list(inner) or as_list(as_object(inner).get("layers"))


def _layer(entry: Json, *, keras3: bool) -> LayerConfig:
    node = Node.of(as_object(entry))
    reference = reference_in(node, keras3=keras3)
    nested = _entries(entry)
    wrapped = [node.config[key] for key in _WRAPPED if as_object(node.config.get(key))]
    return LayerConfig(
        name=_name(node.value) or node.class_name or "?",
        class_name=node.class_name,
        custom=reference is not None and reference.origin is not Origin.KERAS,
        inner=tuple(_layer(inner, keras3=keras3) for inner in nested or wrapped),
        wrapper=not nested,
    )


def _name(entry: dict[str, Json]) -> str:
    return as_text(entry.get("name")) or as_text(config_of(entry).get("name"))


def model_inputs(config: dict[str, Json]) -> tuple[TensorSpec, ...]:
    """Return the model's inputs in its own order; those whose shape the config does not tell are left out."""
    entries = _entries(config)
    if listed := _tensor_layers(config_of(config).get("input_layers")):
        by_name = {_name(as_object(entry)): as_object(entry) for entry in entries}
        specs = (_input_spec(name, config_of(by_name.get(name))) for name in listed)
        return tuple(spec for spec in specs if spec)
    if as_object(config).get("class_name") == "Merge":  # of Keras 1: models side by side
        return tuple(spec for entry in entries for spec in model_inputs(as_object(entry)))
    if not entries:
        return ()
    first = as_object(entries[0])
    if first.get("class_name") == "InputLayer":
        spec = _input_spec(_name(first), config_of(first))
    elif inner := model_inputs(first):
        return inner
    else:
        arguments = config_of(first)
        arguments = arguments | {"build_input_shape": config_of(config).get("build_input_shape")}
        spec = _input_spec(f"{_name(first)}_input", arguments, class_name=as_text(first.get("class_name")))
    return (spec,) if spec else ()


def model_outputs(config: dict[str, Json]) -> tuple[str, ...]:
    """Return the names of the layers that give the model's outputs, in its own order."""
    if listed := _tensor_layers(config_of(config).get("output_layers")):
        return tuple(listed)
    entries = _entries(config)
    name = _name(as_object(entries[-1])) if entries else ""
    return (name,) if name else ()


def _tensor_layers(value: Json) -> list[str]:
    """Return the layer names in ``["a", 0, 0]``, lists and objects of such, however nested.

    Keras takes the tensors of an object in the order of its sorted keys.
    """
    if isinstance(value, dict):
        return list(_flatten(value[key] for key in sorted(value)))
    items = as_list(value)
    if len(items) == 3 and isinstance(items[0], str) and isinstance(items[1], int):
        return [as_text(items[0])]
    return list(_flatten(items))


def _flatten(values: Iterable[Json]) -> Iterator[str]:
    for value in values:
        yield from _tensor_layers(value)


def _input_spec(name: str, config: dict[str, Json], class_name: str = "InputLayer") -> TensorSpec | None:
    shape = _input_shape(config, class_name)
    return None if shape is None else TensorSpec(name=name, dtype=_dtype(config), shape=shape)


def _input_shape(config: dict[str, Json], class_name: str) -> Shape | None:
    """Return the shape with its batch dimension, however the config spells it."""
    for key in _SHAPE_KEYS:
        if (shape := _shape(config.get(key))) is not None:
            return shape
    if (shape := _shape(config.get("input_shape"))) is not None:
        return (None, *shape)
    if (shape := _shape(config.get("build_input_shape"))) is not None:
        return shape
    if class_name == "Embedding":  # whose input_dim is its vocabulary
        return _shape([None, config.get("input_length")])
    if isinstance(config.get("input_dim"), int):
        steps = [config.get("input_length")] if "input_length" in config else []
        return _shape([None, *steps, config["input_dim"]])
    return None


def _shape(value: Json) -> Shape | None:
    dimensions = as_list(value)
    valid = all(d is None or (type(d) is int and 0 <= d < 2**63) for d in dimensions)
    return tuple(dimensions) if isinstance(value, list) and valid else None


def _dtype(config: dict[str, Json]) -> str:
    """Return the dtype of an input: a policy's variable dtype, ``float32`` where nothing is said."""
    policy = config.get("dtype", config.get("input_dtype"))
    name = as_text(policy) or as_text(config_of(policy).get("name"))
    return "float32" if not name or name.startswith("mixed_") else name
