"""The graph of a SavedModel as ``saved_model.pb`` holds it, read without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.message import DecodeError

from packager.errors import ModelFileError
from packager.protocol import message
from packager.protocol.dtypes import DTYPES, OTHER_DTYPES
from packager.values import Signature, TensorSpec

FILE = "saved_model.pb"

SERVE = "serve"
"""The tag of the graph that servers load."""

INIT_KEY = "__saved_model_init_op"
"""What looks like a signature and is none: it names the operation that initialises resources."""

_ASSETS = "saved_model_assets"
"""The collection in which TensorFlow 1 lists assets (tensorflow/python/saved_model/constants.py)."""

_NAMES = {number: name for name, number in {**DTYPES, **OTHER_DTYPES}.items()}


def read_graph(content: bytes, where: str) -> Any:
    """Return the MetaGraphDef that servers load from the content of ``saved_model.pb``.

    Raises ModelFileError where it cannot be parsed, or holds no graph for serving.
    """
    try:
        document = message("SavedModel").FromString(content)
    except DecodeError as error:
        raise ModelFileError(f"{where!r} holds no SavedModel that can be read: {error}") from error
    for graph in document.meta_graphs:
        if SERVE in graph.meta_info_def.tags:
            return graph
    tags = sorted({tag for graph in document.meta_graphs for tag in graph.meta_info_def.tags})
    raise ModelFileError(
        f"{where!r} has no graph tagged {SERVE!r}, only {', '.join(map(repr, tags)) or 'none at all'}",
        hint="export it for serving: tf.saved_model.save(model, DIR)",
    )


def signatures_of(graph: Any) -> tuple[Signature, ...]:
    """Return the signatures of a MetaGraphDef by their names, tensors by theirs."""
    return tuple(
        Signature(
            key=key,
            method=definition.method_name,
            inputs=_specs(definition.inputs),
            outputs=_specs(definition.outputs),
        )
        for key, definition in sorted(graph.signature_def.items())
        if key != INIT_KEY and definition.outputs
    )


def _specs(infos: Mapping[str, Any]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            name=name,
            dtype=dtype_name(info.dtype),
            shape=shape_of(info.tensor_shape),
        )
        for name, info in sorted(infos.items())
    )


def assets_of(graph: Any) -> list[Any]:
    """Return an AssetFileDef for each file that belongs to a MetaGraphDef; older ones list them apart."""
    listed = list(graph.asset_file_def)
    packed = graph.collection_def[_ASSETS].any_list.value if _ASSETS in graph.collection_def else ()
    try:
        listed += [message("AssetFileDef").FromString(each.value) for each in packed]
    except DecodeError as error:
        raise ModelFileError(
            f"the graph lists assets that cannot be read: {error}", hint="export the model again"
        ) from error
    return listed


def dtype_name(number: int) -> str:
    """Return numpy's name of a type; references are 100 above their type."""
    return _NAMES.get(number % 100, f"type {number}")


def shape_of(shape: Any) -> tuple[int | None, ...]:
    """Return the dimensions of a TensorShapeProto, none where even their number is unknown."""
    return tuple(dimension.size if dimension.size >= 0 else None for dimension in shape.dim)
