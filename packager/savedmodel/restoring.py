"""How a server gets the variables back: an operation reads each data file, another assigns each variable.

TensorFlow's builder traces a function that saves and one that restores, of several nodes a variable; a
server calls the second only, by the names in SaverDef (tensorflow/core/protobuf/saver.proto). One operation
reads tensors of up to 16 million elements one after the other, in one thread (save_restore_tensor.cc of
tensorflow/core/kernels); several are run side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import saver_pb2
from tensorflow.python.framework import op_def_registry

from packager.savedmodel.bundle import SHARD, data_files

FILENAME = "saver_filename"
RESTORE = "restore_all"
_READ = "restore_read"


def add_restoring(graph: Any, keys: Sequence[str], names: Sequence[str], *, shard: int = SHARD) -> bool:
    """Let the MetaGraphDef ``graph``, without a saver, restore each variable of ``names`` from its key.

    Both are in the order in which they are written. Returns ``False`` where the names do not tell one
    variable from another; then nothing is changed.
    """
    handles = {
        node.attr["shared_name"].s.decode(): node for node in graph.graph_def.node if node.op == "VarHandleOp"
    }
    taken = {node.name.partition("/")[0] for node in graph.graph_def.node} & {FILENAME, RESTORE, _READ}
    if taken or len(set(names)) != len(names) or handles.keys() != set(names):
        return False
    text, scalar = tf.string.as_datatype_enum, tf.TensorShape([]).as_proto()
    nodes = [_node(FILENAME, "Placeholder", dtype=text, shape=scalar)]
    assigned: list[Any] = []
    files = data_files((_size(handles[name]) for name in names), shard=shard)
    for file, members in groupby(zip(files, keys, names, strict=True), key=itemgetter(0)):
        _, its_keys, its_names = zip(*members, strict=True)
        dtypes = [handles[name].attr["dtype"].type for name in its_names]
        read = f"{_READ}/{file}"
        nodes += _reading(read, its_keys, dtypes)
        for index, (name, dtype) in enumerate(zip(its_names, dtypes, strict=True)):
            inputs = [handles[name].name, f"{read}:{index}" if index else read]
            assigned.append(_node(f"{RESTORE}/{len(assigned)}", "AssignVariableOp", inputs, dtype=dtype))
    finish = _node(RESTORE, "NoOp", inputs=[f"^{node.name}" for node in assigned])
    graph.graph_def.node.extend([*nodes, *assigned, finish])
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


def _reading(name: str, keys: Sequence[str], dtypes: Sequence[int]) -> list[Any]:
    """Return the operation ``name`` that reads the tensors ``keys``, after what it takes."""
    which = [_texts(f"{name}/tensor_names", keys), _texts(f"{name}/shape_and_slices", [""] * len(keys))]
    read = _node(name, "RestoreV2", [FILENAME, *(node.name for node in which)])
    read.attr["dtypes"].list.type.extend(dtypes)
    return [*which, read]


def _size(handle: Any) -> int:
    """Return the bytes of the variable behind a VarHandleOp, 0 where its shape is left open."""
    elements = tf.TensorShape(handle.attr["shape"].shape).num_elements() or 0
    return elements * tf.as_dtype(handle.attr["dtype"].type).size  # type: ignore[no-any-return]


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
