"""What is traced without waste is what TensorFlow traces."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.tensorflow


def endpoint(call: Any, *shape: int | None) -> Any:
    from packager.values import Endpoint, TensorSpec

    given = (TensorSpec(name="x", dtype="float32", shape=shape),)
    return Endpoint(key="k", method="m", inputs=given, outputs=("y",), call=call, plain=given)


def test_order_of_reads_and_writes_and_control_flow_stays() -> None:
    import tensorflow as tf

    from packager.savedmodel.tracing import traced

    weight, count = tf.Variable([[1.0], [2.0]], name="weight"), tf.Variable(0, name="count")

    @tf.function
    def step(x: Any) -> Any:
        count.assign_add(1)
        return x @ weight

    def call(tensors: Any) -> list[Any]:
        (x,) = tensors
        before = tf.cast(count.read_value(), x.dtype)
        answer = tf.cond(tf.reduce_sum(x) > 0, lambda: step(x), lambda: -step(x))
        count.assign(0)
        return [answer + before + tf.while_loop(lambda i: i < 3.0, lambda i: (i + 1.0,), (0.0,))[0]]

    def serve(*tensors: Any) -> dict[str, Any]:
        return {"y": call(tensors)[0]}

    specs = [tf.TensorSpec((None, 2), "float32", name="x")]
    usual = tf.function(serve, input_signature=specs, autograph=False).get_concrete_function()
    ours = traced(endpoint(call, None, 2), ["x"])

    def nodes(function: Any) -> list[tuple[str, list[str]]]:
        """Each operation with what it takes and waits for; names that are counted in a process left out."""
        return [
            (node.op, [name.split(":")[0].rstrip("0123456789") for name in node.input])
            for node in function.graph.as_graph_def().node
        ]

    assert nodes(ours) == nodes(usual)
    assert any(name.startswith("^") for _, names in nodes(ours) for name in names)


def test_graphs_within_graphs_and_code_outside_of_them_stay() -> None:
    import tensorflow as tf

    from packager.savedmodel.tracing import traced

    def call(tensors: Any) -> list[Any]:
        (x,) = tensors
        graph = tf.compat.v1.get_default_graph()
        with tf.init_scope():
            assert tf.executing_eagerly()
            two = tf.constant(1.0) + 1.0
            with graph.as_default():  # which is to be entered from here
                assert not tf.executing_eagerly()
                x = tf.identity(x)
            assert tf.executing_eagerly()
        with tf.Graph().as_default() as other:
            tf.constant(3.0)
            with graph.as_default():
                assert tf.compat.v1.get_default_graph() is graph
                x = x * two.numpy()
            assert tf.compat.v1.get_default_graph() is other
            assert len(other.get_operations()) == 1
        with graph.as_default() as same, tf.name_scope("inner"), tf.control_dependencies([tf.no_op()]):
            assert same is graph
            return [tf.identity(x)]

    function = traced(endpoint(call, None), ["x"])
    assert function(tf.constant([1.0, 2.0]))["y"].numpy().tolist() == [2, 4]
    last = function.graph.get_operation_by_name("inner/Identity")
    assert [operation.type for operation in last.control_inputs] == ["NoOp"]


def test_wrong_type_is_told_as_ever() -> None:
    import tensorflow as tf

    from packager.savedmodel.tracing import traced

    def call(tensors: Any) -> list[Any]:
        return [tf.raw_ops.LogicalNot(x=tensors[0]), tf.raw_ops.BitwiseAnd(x=tensors[0], y=tensors[0])]

    with pytest.raises(TypeError, match="float32"):
        traced(endpoint(call, None), ["x"])

    def shifted(tensors: Any) -> list[Any]:
        return [tf.raw_ops.BitwiseAnd(x=tensors[0], y=tensors[0])]

    with pytest.raises(TypeError, match="has DataType float32 not in list of allowed values: int8, int16"):
        traced(endpoint(shifted, None), ["x"])
