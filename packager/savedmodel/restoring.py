"""How a server gets the variables back: one operation that reads the checkpoint, one that assigns each.

TensorFlow's builder traces a function that saves and one that restores, of several nodes a variable; a
server calls the second only, by the names in SaverDef (tensorflow/core/protobuf/saver.proto).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import saver_pb2
from tensorflow.python.framework import op_def_registry

FILENAME = "saver_filename"
RESTORE = "restore_all"
_READ = "restore_read"


def add_restoring(graph: Any, keys: Sequence[str], names: Sequence[str]) -> bool:
    """Let the MetaGraphDef ``graph``, without a saver, restore each variable of ``names`` from its key.

    Returns ``False`` where the names do not tell one variable from another; then nothing is changed.
    """
    handles = {
        node.attr["shared_name"].s.decode(): node for node in graph.graph_def.node if node.op == "VarHandleOp"
    }
    taken = {node.name for node in graph.graph_def.node} & {FILENAME, RESTORE, _READ}
    if taken or len(set(names)) != len(names) or handles.keys() != set(names):
        return False
    dtypes = [handles[name].attr["dtype"].type for name in names]
    nodes = [
        _node(FILENAME, "Placeholder", dtype=tf.string.as_datatype_enum, shape=tf.TensorShape([]).as_proto()),
        _texts(f"{_READ}/tensor_names", keys),
        _texts(f"{_READ}/shape_and_slices", [""] * len(keys)),
    ]
    read = _node(_READ, "RestoreV2", inputs=[node.name for node in nodes])
    read.attr["dtypes"].list.type.extend(dtypes)
    assigned = [
        _node(
            f"{RESTORE}/{number}",
            "AssignVariableOp",
            inputs=[handles[name].name, f"{_READ}:{number}" if number else _READ],
            dtype=dtype,
        )
        for number, (name, dtype) in enumerate(zip(names, dtypes, strict=True))
    ]
    finish = _node(RESTORE, "NoOp", inputs=[f"^{node.name}" for node in assigned])
    graph.graph_def.node.extend([*nodes, read, *assigned, finish])
    graph.saver_def.CopyFrom(
        saver_pb2.SaverDef(
            filename_tensor_name=f"{FILENAME}:0",
            save_tensor_name=f"{FILENAME}:0",  # readers want one; nothing is ever saved
            restore_op_name=RESTORE,
            version=saver_pb2.SaverDef.V2,
        )
    )
    _tell_operations(graph, ("Placeholder", "Const", "RestoreV2", "AssignVariableOp", "NoOp"))
    return True


def drop_unused(graph: Any) -> None:
    """Take the nodes out of a MetaGraphDef that neither a signature nor restoring needs, and their shapes."""
    definition = graph.graph_def
    by_name = {node.name: node for node in definition.node}
    wanted = [info.name for signature in graph.signature_def.values() for info in _infos(signature)]
    wanted += [graph.saver_def.filename_tensor_name, graph.saver_def.save_tensor_name]
    wanted += [graph.saver_def.restore_op_name]
    wanted += [name for c in graph.collection_def.values() for name in c.node_list.value]
    wanted += [asset.tensor_info.name for asset in graph.asset_file_def]
    kept: set[str] = set()
    while wanted:
        name = wanted.pop().removeprefix("^").partition(":")[0]
        if name in by_name and name not in kept:
            kept.add(name)
            wanted += by_name[name].input
    for number in reversed(range(len(definition.node))):
        if definition.node[number].name not in kept:
            del definition.node[number]
    functions = (node for function in definition.library.function for node in function.node_def)
    for node in (*definition.node, *functions):
        node.attr.pop("_output_shapes", None)


def _infos(signature: Any) -> Iterable[Any]:
    return (*signature.inputs.values(), *signature.outputs.values())


def _tell_operations(graph: Any, used: Iterable[str]) -> None:
    known = {operation.name for operation in graph.meta_info_def.stripped_op_list.op}
    for name in used:
        if name not in known:
            graph.meta_info_def.stripped_op_list.op.append(op_def_registry.get(name))
    graph.meta_info_def.stripped_op_list.op.sort(key=lambda operation: operation.name)


def _texts(name: str, values: Sequence[str]) -> Any:
    tensor = tf.make_tensor_proto(np.array([value.encode() for value in values], object), tf.string)
    node = _node(name, "Const", dtype=tf.string.as_datatype_enum)
    node.attr["value"].tensor.CopyFrom(tensor)
    return node


def _node(name: str, operation: str, inputs: Sequence[str] = (), *, dtype: int = 0, shape: Any = None) -> Any:
    node = node_def_pb2.NodeDef(name=name, op=operation, input=inputs)
    if dtype:
        node.attr["dtype"].type = dtype
    if shape is not None:
        node.attr["shape"].shape.CopyFrom(shape)
    return node
