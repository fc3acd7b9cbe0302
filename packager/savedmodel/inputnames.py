"""What TensorFlow writes otherwise into a signature than it was asked for: methods, and some input names.

``tf.saved_model.save`` takes a signature's input names from placeholders, which turn ``a/b`` into ``a_b``,
``0`` into ``arg_0``, and refuse spaces. A signature def's keys may be any text, so such a model is traced
under plain names and the keys are replaced in ``saved_model.pb``: in the signature def, which servers read,
and in the object graph, which ``tf.saved_model.load`` reads. The method of every signature is ``predict``,
where ``classify`` and ``regress`` are two others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorflow.core.protobuf import saved_model_pb2

from packager.values import Endpoint

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def traced_names(published: Sequence[str]) -> list[str]:
    """Return names to trace under: those published where TensorFlow keeps them all, else ``input_0`` …"""
    if all(_PLAIN.fullmatch(name) for name in published):
        return list(published)
    return [f"input_{i}" for i in range(len(published))]


def publish(folder: Path, endpoints: Sequence[Endpoint], names: Mapping[str, Sequence[str]]) -> None:
    """Write each endpoint's method, and its input names for those in ``names`` that it was traced under."""
    file = folder / "saved_model.pb"
    document = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for graph in document.meta_graphs:
        functions = _signature_functions(graph.object_graph_def)
        for end in endpoints:
            published = dict(zip(names[end.key], [spec.name for spec in end.inputs], strict=True))
            definition = graph.signature_def[end.key]
            definition.method_name = end.method
            _rename_keys(definition.inputs, published)
            keywords = functions[end.key].argument_keywords
            keywords[:] = [published.get(keyword, keyword) for keyword in keywords]
    file.write_bytes(document.SerializeToString(deterministic=True))


def _rename_keys(infos: Any, names: Mapping[str, str]) -> None:
    copies = {
        name: type(infos[old]).FromString(infos[old].SerializeToString()) for old, name in names.items()
    }
    infos.clear()
    for name, info in copies.items():
        infos[name].CopyFrom(info)


def _signature_functions(objects: Any) -> dict[str, Any]:
    """Find the function of each signature: children of the root's child ``signatures``."""
    root = {child.local_name: child.node_id for child in objects.nodes[0].children}
    signatures = objects.nodes[root["signatures"]].children
    return {child.local_name: objects.nodes[child.node_id].bare_concrete_function for child in signatures}
