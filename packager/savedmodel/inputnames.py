"""Input names that TensorFlow would change on the way into a signature, written into the SavedModel as asked.

``tf.saved_model.save`` takes a signature's input names from placeholders, which turn ``a/b`` into ``a_b``,
``0`` into ``arg_0``, and refuse spaces. A signature def's keys may be any text, so such a model is traced
under plain names and the keys are replaced in ``saved_model.pb``: in the signature def, which servers read,
and in the object graph, which ``tf.saved_model.load`` reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tensorflow.core.protobuf import saved_model_pb2

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def traced_names(published: Sequence[str]) -> list[str]:
    """Return names to trace under: those published where TensorFlow keeps them all, else ``input_0`` …"""
    if all(_PLAIN.fullmatch(name) for name in published):
        return list(published)
    return [f"input_{i}" for i in range(len(published))]


def publish_names(folder: Path, key: str, names: Mapping[str, str]) -> None:
    """Replace input names, traced to published, in signature ``key`` of the SavedModel in ``folder``."""
    file = folder / "saved_model.pb"
    document = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for graph in document.meta_graphs:
        inputs = graph.signature_def[key].inputs
        infos = {published: inputs[traced] for traced, published in names.items()}
        copies = {name: type(info).FromString(info.SerializeToString()) for name, info in infos.items()}
        inputs.clear()
        for name, info in copies.items():
            inputs[name].CopyFrom(info)
        for node in graph.object_graph_def.nodes:
            if node.HasField("bare_concrete_function"):
                keywords = node.bare_concrete_function.argument_keywords
                keywords[:] = [names.get(keyword, keyword) for keyword in keywords]
    file.write_bytes(document.SerializeToString(deterministic=True))
