"""Which features of a ``tf.Example`` a graph reads, so that examples can be made that it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from packager.values import TensorSpec


def parsed_features(function: Any) -> tuple[TensorSpec, ...]:
    """Return the features of a fixed size that ``function`` parses, none where it parses not just once.

    Those of a size of their own may be missing in an example, so nothing needs to be known of them.
    """
    definition = function.graph.as_graph_def()
    scopes = [definition.node, *(called.node_def for called in definition.library.function)]
    found = [
        (node, {other.name: other for other in nodes})
        for nodes in scopes
        for node in nodes
        if node.op in ("ParseExample", "ParseExampleV2")
    ]
    return tuple(_features(*found[0])) if len(found) == 1 else ()


def _features(node: Any, nodes: Mapping[str, Any]) -> Iterator[TensorSpec]:
    attributes = node.attr
    if node.op == "ParseExampleV2":  # serialized, names, sparse_keys, dense_keys, ragged_keys, defaults…
        keys = _texts(nodes, node.input[3])
    else:  # serialized, names, as many inputs as keys, defaults…
        begin = 2 + attributes["Nsparse"].i
        keys = [key for i in range(attributes["Ndense"].i) for key in _texts(nodes, node.input[begin + i])]
    types, shapes = attributes["Tdense"].list.type, attributes["dense_shapes"].list.shape
    for key, kind, shape in zip(keys, types, shapes, strict=True):
        sizes = tuple(size.size if size.size >= 0 else None for size in shape.dim)
        yield TensorSpec(name=key, dtype=tf.as_dtype(kind).name, shape=(None, *sizes))


def _texts(nodes: Mapping[str, Any], argument: str) -> list[str]:
    node = nodes.get(argument.partition(":")[0])
    if node is None or node.op != "Const":
        return []
    values = np.asarray(tf.make_ndarray(node.attr["value"].tensor), object)
    return [value.decode("utf-8", "replace") for value in values.ravel().tolist()]
