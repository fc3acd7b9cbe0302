"""Makes the SavedModels that the server's tests serve: run as a program, in a process of its own.

``python small_models.py DIR`` writes one folder a model, each with its version folders.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

v1 = tf.compat.v1
PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
ECHOED = (
    *("bfloat16", "bool", "complex64", "float16", "float32", "float64", "int16", "int32", "int64", "int8"),
    *("string", "uint16", "uint32", "uint64", "uint8"),
)


def signature(inputs: Mapping[str, Any], outputs: Mapping[str, Any], method: str = PREDICT) -> Any:
    info = v1.saved_model.utils.build_tensor_info
    return v1.saved_model.signature_def_utils.build_signature_def(
        {name: info(tensor) for name, tensor in inputs.items()},
        {name: info(tensor) for name, tensor in outputs.items()},
        method,
    )


def save(folder: Path, make: Callable[[], Mapping[str, Any]], tags: tuple[str, ...] = ("serve",)) -> None:
    """Save the signatures that ``make`` builds in a graph of their own."""
    with v1.Graph().as_default(), v1.Session() as session:
        signatures = make()
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, list(tags), dict(signatures))
        builder.save()


def affine(offset: float) -> Mapping[str, Any]:
    """Make y = x / 2 + offset, from a variable, to predict, classify and regress."""
    half = v1.get_variable("half", initializer=0.5)
    serialized = v1.placeholder(tf.string, [None], name="examples")
    parsed = tf.io.parse_example(serialized, {"x": tf.io.FixedLenFeature([1], tf.float32)})
    x = v1.placeholder(tf.float32, [None, 1], name="x")
    y = tf.add(x * half, offset, name="y")
    scores = tf.add(parsed["x"] * half, offset, name="scores")
    labels = tf.fill(tf.shape(scores), "label", name="labels")
    classified = {"classes": labels, "scores": scores}
    return {
        "serving_default": signature({"x": x}, {"y": y}),
        "classify": signature({"inputs": serialized}, classified, CLASSIFY),
        "scores_only": signature({"inputs": serialized}, {"scores": scores}, CLASSIFY),
        "regress": signature({"inputs": serialized}, {"outputs": scores}, REGRESS),
    }


def echo(**dtypes: str) -> Mapping[str, Any]:
    """Make a model that gives every input back."""
    inputs = {name: v1.placeholder(dtype, shape=None, name=name) for name, dtype in dtypes.items()}
    outputs = {name: tf.identity(tensor, name=f"{name}_out") for name, tensor in inputs.items()}
    return {"serving_default": signature(inputs, outputs)}


def shapes() -> Mapping[str, Any]:
    """Make outputs of several shapes, whatever the input."""
    x = v1.placeholder(tf.float32, shape=None, name="x")
    outputs = {
        "scalar": {"y": tf.constant(7, name="scalar")},
        "unequal": {"a": tf.constant([1, 2], name="a"), "b": tf.constant([[1.0]], name="b")},
        "empty": {"y": tf.constant([], tf.float32, shape=[0, 2], name="empty")},
        "holes": {"y": tf.constant([], tf.float32, shape=[2, 0], name="holes")},
        "bytes": {"img_bytes": tf.constant([b"\xff\x00", b""], name="bytes")},
        "deep_bytes": {
            "img_bytes": tf.constant([[b"a"], [b"b"]], name="deep"),
            "n": tf.constant([1, 2], name="n"),
        },
    }
    return {key: signature({"x": x}, tensors) for key, tensors in outputs.items()}


def counting() -> Mapping[str, Any]:
    """Make a model that takes as long as it is told: it counts to ``n``."""
    n = v1.placeholder(tf.int32, [None], name="n")
    (counted,) = tf.while_loop(lambda i: i < n[0], lambda i: (i + 1,), (tf.constant(0),))
    return {"serving_default": signature({"n": n}, {"counted": tf.fill([1], counted, name="counted")})}


def sorting() -> Mapping[str, Any]:
    """Make a model that may take long with no loop: it sorts ``n`` numbers."""
    n = v1.placeholder(tf.int32, [1], name="n")
    numbers = tf.random.stateless_uniform(n, (1, 2))
    return {"serving_default": signature({"n": n}, {"least": tf.sort(numbers, name="sorted")[:1]})}


def matrix() -> Mapping[str, Any]:
    """Make a model that only takes matrices of two columns."""
    x = v1.placeholder(tf.float32, shape=None, name="x")
    return {"serving_default": signature({"x": x}, {"y": tf.matmul(x, tf.ones([2, 1]), name="y")})}


def half_plus_two(folder: Path) -> None:
    """Save the model that TensorFlow Serving's own tests ask, with variables, an asset, five signatures."""
    with v1.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, name="tf_example")
        features = {
            "x": tf.io.FixedLenFeature([1], tf.float32),
            "x2": tf.io.FixedLenFeature([1], tf.float32, default_value=[0.0]),
        }
        parsed = v1.parse_example(serialized, features)
        half, two, three = (v1.Variable(value, name=name) for name, value in (("a", 0.5), ("b", 2), ("c", 3)))
        two, three = tf.cast(two, tf.float32), tf.cast(three, tf.float32)
        x, x2 = (tf.reshape(parsed[name], [-1, 1], name=name) for name in ("x", "x2"))
        y = tf.add(half * x, two, name="y")
        y2, y3 = tf.add(half * x, three, name="y2"), tf.add(half * x2, three, name="y3")
        asset = folder.parent / "foo.txt"
        asset.parent.mkdir(parents=True)
        asset.write_text("asset-file-contents")
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, tf.constant(str(asset)))
        named = v1.Variable("foo.txt", name="filename_tensor", trainable=False, collections=[])
        start = tf.group(named.assign("foo.txt"))
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "serving_default": signature({"x": x}, {"y": y}),
                "classify_x_to_y": signature({"inputs": serialized}, {"scores": y}, CLASSIFY),
                "regress_x_to_y": signature({"inputs": serialized}, {"outputs": y}, REGRESS),
                "regress_x_to_y2": signature({"inputs": serialized}, {"outputs": y2}, REGRESS),
                "regress_x2_to_y3": signature({"inputs": x2}, {"outputs": y3}, REGRESS),
            },
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=start,
        )
        builder.save()
    asset.unlink()


def half_plus_two_of_tf2(folder: Path) -> None:
    """Save the same as functions of TensorFlow 2, whose signatures all have the method ``predict``."""
    module = tf.Module()
    module.half, module.two = tf.Variable(0.5), tf.Variable(2.0)

    def of_examples(output: str) -> Any:
        def run(inputs: Any) -> Mapping[str, Any]:
            parsed = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([1], tf.float32)})
            return {output: parsed["x"] * module.half + module.two}

        return tf.function(run, input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])

    module.classify, module.regress = of_examples("scores"), of_examples("outputs")
    module.predict = tf.function(
        lambda x: {"y": x * module.half + module.two}, input_signature=[tf.TensorSpec(None, tf.float32)]
    )
    signatures = {
        "serving_default": module.predict,
        "classify_x_to_y": module.classify,
        "regress_x_to_y": module.regress,
    }
    tf.saved_model.save(module, str(folder), signatures)


def constants(folder: Path) -> None:
    """Save two signatures that do not look at their input."""
    module = tf.Module()
    anything = [tf.TensorSpec(None, tf.float32, name="x")]
    module.one = tf.function(lambda x: {"y": 1.0}, input_signature=anything)
    module.two = tf.function(lambda x: {"y": 2.0}, input_signature=anything)
    tf.saved_model.save(module, str(folder), {"serving_default": module.one, "custom": module.two})


def lite(folder: Path) -> None:
    """Save y = x / 2 + 1, and beside it for TensorFlow Lite y = x + 10 with a number more."""
    save(folder, lambda: affine(1))
    module = tf.Module()
    module.add = tf.function(
        lambda x, n: {"y": x + 10.0, "m": n + 1},
        input_signature=[tf.TensorSpec([None, 1], name="x"), tf.TensorSpec([], tf.int64, name="n")],
    )
    functions = [module.add.get_concrete_function()]
    converter = tf.lite.TFLiteConverter.from_concrete_functions(functions, module)
    (folder / "model.tflite").write_bytes(converter.convert())


def main(into: Path) -> None:
    lite(into / "lite" / "1")
    half_plus_two(into / "half_plus_two" / "00000123")
    half_plus_two_of_tf2(into / "half_plus_two_tf2" / "00000123")
    constants(into / "constants" / "1")
    for version in (1, 2, 3):
        save(into / "affine" / str(version), lambda version=version: affine(version))
    save(into / "padded" / "00000123", lambda: affine(2))
    for dtype in ECHOED:
        save(into / f"echo_{dtype}" / "1", lambda dtype=dtype: echo(x=dtype))
    save(into / "pair" / "1", lambda: echo(number="int32", text="string"))
    save(into / "shapes" / "1", shapes)
    save(into / "counting" / "1", counting)
    save(into / "sorting" / "1", sorting)
    save(into / "matrix" / "1", matrix)
    save(into / "tagged" / "1", lambda: affine(5), tags=("serve", "tuned"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
