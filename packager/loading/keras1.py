"""Architectures of Keras 1, told in the words of Keras 2.

Only what inference reads is kept: initializers, regularizers and constraints say nothing to it. The names
are those of Keras 1.0 to 1.2 (``get_config`` of each layer) and of the "Keras 2.0 release notes".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from packager.errors import ModelLoadError
from packager.loading.keras1_branches import as_functional, begins_with_branches

Config = dict[str, Any]
Shapes = Mapping[str, Sequence[tuple[int, ...]]]
"""Shapes of the stored weights by the name of their layer."""

_CLASSES = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
}
_ARGUMENTS = {
    "nb_filter": "filters",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "stride": "strides",
    "pool_length": "pool_size",
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "inner_activation": "recurrent_activation",
    "p": "rate",
    "sigma": "stddev",
    "length": "size",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
}
_KEPT = frozenset(
    """
    activation alpha axis batch_input_shape bounded cropping depth_multiplier dims epsilon go_backwards
    input_shape l1 l2 mask_value mask_zero merge_mode momentum n name padding pool_size
    return_sequences shared_axes size sparse stateful strides target_shape theta trainable unroll
    """.split()  # noqa: SIM905 - a list of names reads best as words
)
_DROPPED = frozenset(
    """
    U_regularizer W_constraint W_learning_rate_multiplier W_regularizer activity_regularizer
    b_constraint b_learning_rate_multiplier b_regularizer beta_init beta_regularizer cache_enabled
    consume_less dropout forget_bias_init gamma_init gamma_regularizer init inner_init input_dim
    input_dtype input_length mode output_shape output_shape_type weights node_indices tensor_indices
    arguments depthwise_constraint depthwise_regularizer pointwise_constraint pointwise_regularizer
    alpha_init transform_bias t_left_init a_left_init t_right_init a_right_init
    """.split()  # noqa: SIM905
)
_TELLING = frozenset({"nb_filter", "border_mode", "W_regularizer", "dim_ordering", "inner_init", "init"})
_MERGES = {
    "sum": "Add",
    "mul": "Multiply",
    "concat": "Concatenate",
    "ave": "Average",
    "max": "Maximum",
    "dot": "Dot",
    "cos": "CosineMerge",
}
_SHARING = ("PReLU", "SReLU", "ParametricSoftplus")
_RECURRENT = ("LSTM", "GRU", "SimpleRNN")
_ORDERINGS = {"tf": "channels_last", "th": "channels_first"}
_FORGET_ORDERING = frozenset(
    f"{kind}{rank}D" for kind in ("ZeroPadding", "UpSampling", "Cropping") for rank in (2, 3)
)
"""Layers whose ``get_config`` left ``dim_ordering`` out."""


def upgrade(config: Mapping[str, Any], *, stored: Shapes | None = None, backend: str | None = None) -> Config:
    """Return the architecture as Keras 2 would have written it, or raise ModelLoadError.

    Some layers did not record all that they were made with: ``stored`` tells the axes that a PReLU shares,
    and the other layers, else ``backend``, where the channels are. A SReLU computed otherwise on Theano.
    """
    if config.get("class_name") not in ("Sequential", "Model"):
        raise ModelLoadError(
            f"a Keras 1 model of class {config.get('class_name')!r}", hint="save it as Sequential or Model"
        )
    ordering = next(_orderings(config), "th" if backend == "theano" else "tf")
    return _upgrade_model(_completed(config, ordering, stored or {}, theano=backend == "theano"))


def _orderings(node: Any) -> Iterator[str]:
    """Yield where layers say that their channels are."""
    if isinstance(node, Mapping):
        if node.get("dim_ordering") in _ORDERINGS:
            yield node["dim_ordering"]
        for value in node.values():
            yield from _orderings(value)
    elif isinstance(node, list):
        for value in node:
            yield from _orderings(value)


def _completed(node: Any, ordering: str, stored: Shapes, *, theano: bool) -> Any:
    """Add to each layer what Keras 1 forgot to record."""
    if isinstance(node, list):
        return [_completed(value, ordering, stored, theano=theano) for value in node]
    if not isinstance(node, Mapping):
        return node
    done = {key: _completed(value, ordering, stored, theano=theano) for key, value in node.items()}
    class_name, config = done.get("class_name"), done.get("config")
    if class_name in _FORGET_ORDERING and isinstance(config, dict):
        config.setdefault("dim_ordering", ordering)
    if class_name == "SReLU" and isinstance(config, dict):
        config["bounded"] = theano
    if class_name in _SHARING and isinstance(config, dict):
        shapes = stored.get(config.get("name", ""), ())
        config["shared_axes"] = [axis + 1 for shape in shapes[:1] for axis, n in enumerate(shape) if n == 1]
    return done


def is_keras1(config: Mapping[str, Any]) -> bool:
    """Tell whether Keras 1 wrote an architecture, by what it records or by the words it uses."""
    version = config.get("keras_version")
    return version.startswith("1") if isinstance(version, str) else _speaks_keras1(config)


def _speaks_keras1(node: Any) -> bool:
    if isinstance(node, Mapping):
        return not _TELLING.isdisjoint(node) or any(map(_speaks_keras1, node.values()))
    return isinstance(node, list) and any(map(_speaks_keras1, node))


def _upgrade_model(config: Mapping[str, Any]) -> Config:
    class_name, inner = config["class_name"], config["config"]
    if class_name == "Sequential":
        layers = inner if isinstance(inner, list) else inner["layers"]
        if begins_with_branches(layers):
            return as_functional(_name(config), layers, upgrade=_upgrade_layer)
        return {
            "class_name": "Sequential",
            "config": {"name": _name(config), "layers": [_upgrade_layer(entry) for entry in layers]},
        }
    layers = [_upgrade_layer(entry) for entry in inner["layers"]]
    return {"class_name": "Model", "config": {**inner, "layers": layers}}


def _name(config: Mapping[str, Any]) -> str:
    """Return a model's name; one that has none gets it from its first layer, as no other model does."""
    inner = config["config"]
    if name := config.get("name") or (inner.get("name") if isinstance(inner, dict) else None):
        return str(name)
    if isinstance(inner, list) and inner and inner[0].get("class_name") in ("Sequential", "Model"):
        return f"outer_{_name(inner[0])}"
    first = inner[0]["config"] if isinstance(inner, list) and inner else {}
    return f"sequential_{first.get('name', 1)}"


def _upgrade_layer(entry: Mapping[str, Any]) -> Config:
    """Upgrade one layer; where and by what name it is called stays as it is."""
    old_class, old = entry["class_name"], entry["config"]
    if old_class in ("Sequential", "Model"):
        return {**entry, **_upgrade_model(entry)}
    upgraded = _SPECIAL.get(old_class, _plain)(old_class, old)
    return {**entry, **upgraded}


def _plain(class_name: str, old: Mapping[str, Any]) -> Config:
    new = {_ARGUMENTS.get(key, key): value for key, value in old.items() if _carried(class_name, key)}
    if ordering := old.get("dim_ordering"):
        new["data_format"] = _ORDERINGS.get(ordering, "channels_last")
    if kernel := _kernel_size(old):
        new["kernel_size"] = kernel
    if "output_dim" in old:
        new["units"] = old["output_dim"]
    return {"class_name": _CLASSES.get(class_name, class_name), "config": new}


def _carried(class_name: str, key: str) -> bool:
    if key in _ARGUMENTS or key in _KEPT:
        return True
    known = key in _DROPPED or key in ("dim_ordering", "output_dim", "layer", "layers")
    if known or key.startswith(("kernel_dim", "nb_", "filter_length", "concat_", "dot_")):
        return False
    raise _unsupported(class_name, f"with the argument {key!r}")


def _kernel_size(old: Mapping[str, Any]) -> list[int]:
    keys = ("filter_length", "nb_row", "nb_col", "kernel_dim1", "kernel_dim2", "kernel_dim3")
    return [old[key] for key in keys if key in old] if "nb_filter" in old else []


def _recurrent(class_name: str, old: Mapping[str, Any]) -> Config:
    new = _plain(class_name, {key: value for key, value in old.items() if key != "input_length"})
    if class_name == "GRU":
        new["config"]["reset_after"] = False  # the only variant that Keras 1 had
    return new


def _embedding(_class_name: str, old: Mapping[str, Any]) -> Config:
    kept = ("name", "trainable", "mask_zero", "input_dim", "output_dim", "input_length", "batch_input_shape")
    return {"class_name": "Embedding", "config": {key: old[key] for key in kept if key in old}}


def _input(_class_name: str, old: Mapping[str, Any]) -> Config:
    config = {
        "name": old["name"],
        "batch_input_shape": old.get("batch_input_shape"),
        "dtype": old.get("input_dtype", "float32"),
        "sparse": old.get("sparse", False),
    }
    return {"class_name": "InputLayer", "config": config}


def _lambda(class_name: str, old: Mapping[str, Any]) -> Config:
    """Keep a Lambda layer whose function was settled, and what was made of one that only scales."""
    return {"class_name": class_name, "config": {k: v for k, v in old.items() if k != "input_dtype"}}


def _normalization(class_name: str, old: Mapping[str, Any]) -> Config:
    mode = old.get("mode", 0)
    if mode == 2:
        raise _unsupported(class_name, "with mode 2, whose answers depend on what else is in the batch,")
    if mode == 1:  # in which the axis was not read, and nothing kept moving
        return _plain("SampleNormalization", {k: v for k, v in old.items() if k not in ("axis", "momentum")})
    return _plain(class_name, old)


def _unchanged_size(class_name: str, old: Mapping[str, Any]) -> Config:
    """Upgrade a layer of keras1_layers, which keeps the name of its number of pieces."""
    new = _plain(class_name, old)
    if "nb_feature" in old:
        new["config"]["pieces"] = old["nb_feature"]
    return new


def _wrapper(class_name: str, old: Mapping[str, Any]) -> Config:
    new = _plain(class_name, old)
    new["config"]["layer"] = _upgrade_layer(old["layer"])
    return new


def _time_distributed_dense(_class_name: str, old: Mapping[str, Any]) -> Config:
    dense = _plain("Dense", {key: value for key, value in old.items() if key != "input_length"})
    outer = {key: dense["config"].pop(key) for key in ("batch_input_shape",) if key in dense["config"]}
    name = dense["config"]["name"]
    dense["config"]["name"] = f"{name}_dense"
    return {"class_name": "TimeDistributed", "config": {"name": name, "layer": dense, **outer}}


def _merge(class_name: str, old: Mapping[str, Any]) -> Config:
    mode = old.get("mode")
    if mode not in _MERGES:
        raise _unsupported(class_name, f"with mode {mode!r}")
    config: Config = {"name": old["name"]}
    if mode == "concat":
        config["axis"] = old.get("concat_axis", -1)
    if mode in ("dot", "cos"):
        config |= {"axes": old["dot_axes"], "normalize": mode == "cos"}
    return {"class_name": _MERGES[mode], "config": config}


def _unsupported(class_name: str, how: str) -> ModelLoadError:
    return ModelLoadError(
        f"layer class {class_name!r} of Keras 1 {how} has no counterpart today",
        hint="--custom-objects file.py cannot help here: rebuild this model with layers of Keras 2",
    )


_SPECIAL: Mapping[str, Callable[[str, Mapping[str, Any]], Config]] = {
    **dict.fromkeys(_RECURRENT, _recurrent),
    **dict.fromkeys(("TimeDistributed", "Bidirectional"), _wrapper),
    "BatchNormalization": _normalization,
    "Embedding": _embedding,
    "InputLayer": _input,
    "Lambda": _lambda,
    "Rescaling": _lambda,
    "MaxoutDense": _unchanged_size,
    "Merge": _merge,
    "TimeDistributedDense": _time_distributed_dense,
}
