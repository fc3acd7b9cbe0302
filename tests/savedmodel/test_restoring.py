"""A server restores the variables by the operations that are added to the graph, one for each data file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from packager.savedmodel.bundle import BundleWriter

pytestmark = pytest.mark.tensorflow

SHARD = 5000


def test_each_data_file_is_read_by_an_operation_of_its_own(tmp_path: Path) -> None:
    import tensorflow as tf

    from packager.savedmodel.restoring import RESTORE, add_restoring

    values = {f"variable{i}": np.arange(i, i + 300 * i, dtype=np.float32) for i in range(10)}
    graph = tf.Graph()
    with graph.as_default():
        for name, value in values.items():
            handle = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=value.shape, shared_name=name)
            tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32, name=f"read/{name}")
    document = tf.compat.v1.MetaGraphDef(graph_def=graph.as_graph_def())
    assert add_restoring(document, [f"{name}/key" for name in values], list(values), shard=SHARD)
    with BundleWriter(tmp_path / "variables", shard=SHARD) as bundle:
        for name, value in values.items():
            bundle.add(f"{name}/key", dtype=1, shape=value.shape, blocks=[value.tobytes()])
    reads = [node for node in document.graph_def.node if node.op == "RestoreV2"]
    assert len(reads) == len(list(tmp_path.glob("variables.data-*"))) > 5
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(document.graph_def, name="")
        session.run(RESTORE, {document.saver_def.filename_tensor_name: str(tmp_path / "variables")})
        for name, value in values.items():
            assert np.array_equal(session.run(f"read/{name}:0"), value), name


def test_a_name_that_is_taken_leaves_the_graph_alone() -> None:
    import tensorflow as tf

    from packager.savedmodel.restoring import add_restoring

    graph = tf.Graph()
    with graph.as_default():
        tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=(), shared_name="variable")
        tf.raw_ops.NoOp(name="restore_read/0")
    document = tf.compat.v1.MetaGraphDef(graph_def=graph.as_graph_def())
    assert not add_restoring(document, ["key"], ["variable"])
    assert document.graph_def == graph.as_graph_def()
