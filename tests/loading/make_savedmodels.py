"""Makes SavedModels by everything that exports them: run as a program, in a process of its own.

``python make_savedmodels.py DIR`` writes one folder a model, and beside it ``NAME.npz`` with a request to
``serving_default`` and what the model answered before it was saved.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras

v1 = tf.compat.v1
Arrays = Mapping[str, Any]
RANDOM = np.random.RandomState(3)


def module(folder: Path) -> tuple[Arrays, Arrays]:
    """tf.saved_model.save of a module: two signatures, variables of one name, a table."""
    made = tf.Module()
    made.w, made.b = tf.Variable(RANDOM.rand(4, 3), dtype=tf.float32), tf.Variable([1.0, 2.0, 3.0])
    made.table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(["one", "two"], tf.constant([1.0, 2.0])), 0.0
    )

    @tf.function(
        input_signature=[tf.TensorSpec([None, 4], name="x"), tf.TensorSpec([None], tf.string, "word")]
    )
    def serve(x: Any, word: Any) -> dict[str, Any]:
        return {"y": x @ made.w + made.b, "value": made.table.lookup(word)}

    tf.saved_model.save(made, str(folder), signatures={"serving_default": serve, "second": serve})
    x, word = np.float32(RANDOM.rand(2, 4)), np.array([b"two", b"three"])
    return {"x": x, "word": word}, {k: v.numpy() for k, v in serve(tf.constant(x), tf.constant(word)).items()}


def keras3(folder: Path) -> tuple[Arrays, Arrays]:
    """Keras 3's export of a model of images."""
    layers = keras.layers
    stack = [layers.Conv2D(3, 3, activation="relu"), layers.Flatten(), layers.Dense(5)]
    model = keras.Sequential([keras.Input((8, 8, 1), name="image"), *stack])
    model.export(folder, verbose=False)
    x = np.float32(RANDOM.rand(2, 8, 8, 1))
    return {"image": x}, {"output_0": model(x).numpy()}


def tf_keras_text(folder: Path) -> tuple[Arrays, Arrays]:
    """tf_keras' save of a trained model that looks words up in a vocabulary file, an asset."""
    words = folder.with_suffix(".txt")
    words.write_text("one\ntwo\nthree\n", encoding="utf-8")
    text = tf_keras.Input((1,), dtype="string", name="text")
    embedded = tf_keras.layers.Embedding(5, 4)(tf_keras.layers.StringLookup(vocabulary=str(words))(text))
    model = tf_keras.Model(text, tf_keras.layers.Dense(2, name="scores")(tf_keras.layers.Flatten()(embedded)))
    model.compile("adam", "mse")
    x = np.array([[b"two"], [b"what"]])
    model.fit(tf.constant(x), np.eye(2), verbose=0)
    model.save(folder, save_format="tf")
    words.unlink()
    return {"text": x}, {"scores": model(tf.constant(x)).numpy()}


def half_plus_two(folder: Path) -> tuple[Arrays, Arrays]:
    """TensorFlow 1's builder, with signatures of all three methods, as TensorFlow Serving's own example."""
    with v1.Graph().as_default(), v1.Session() as session:
        half = v1.get_variable("half", initializer=0.5)
        serialized = v1.placeholder(tf.string, [None], name="examples")
        parsed = tf.io.parse_example(serialized, {"x": tf.io.FixedLenFeature([1], tf.float32)})
        x = v1.placeholder(tf.float32, [None, 1], name="x")
        scores = parsed["x"] * half + 2.0
        predict = v1.saved_model.predict_signature_def({"x": x}, {"y": x * half + 2.0})
        classify = v1.saved_model.classification_signature_def(serialized, None, scores)
        regress = v1.saved_model.regression_signature_def(serialized, scores)
        signatures = {"serving_default": predict, "classify": classify, "regress": regress}
        define = v1.saved_model.predict_signature_def
        signatures["parsing"] = define({"inputs": serialized}, {"outputs": scores})
        signatures["floats"] = define({"inputs": x}, {"outputs": x * half + 2.0})
        signatures["floats"].method_name = regress.method_name
        session.run(v1.global_variables_initializer())
        _build(folder, session, signatures)
    given = np.float32([[0.0], [3.0]])
    return {"x": given}, {"y": given / 2 + 2}


def table_of_v1(folder: Path) -> tuple[Arrays, Arrays]:
    """TensorFlow 1's builder, with a table that an operation fills when the model is loaded."""
    with v1.Graph().as_default(), v1.Session() as session:
        word = v1.placeholder(tf.string, [None], name="word")
        values = tf.lookup.KeyValueTensorInitializer(["one", "two"], tf.constant([1.0, 2.0]))
        table = tf.lookup.StaticHashTable(values, -1.0)
        signature = v1.saved_model.predict_signature_def({"word": word}, {"value": table.lookup(word)})
        _build(folder, session, {"serving_default": signature}, main_op=v1.tables_initializer())
    return {"word": np.array([b"two", b"three"])}, {"value": np.float32([2, -1])}


def asset_of_v1(folder: Path) -> tuple[Arrays, Arrays]:
    """TensorFlow 1's builder, with a table that is filled from a file, an asset in a collection."""
    words = folder.with_suffix(".txt")
    words.write_text("one\ntwo\n", encoding="utf-8")
    lookup = tf.lookup.TextFileIndex
    with v1.Graph().as_default(), v1.Session() as session:
        word = v1.placeholder(tf.string, [None], name="word")
        file = tf.lookup.TextFileInitializer(
            str(words), tf.string, lookup.WHOLE_LINE, tf.int64, lookup.LINE_NUMBER
        )
        number = tf.lookup.StaticHashTable(file, -1).lookup(word)
        signature = v1.saved_model.predict_signature_def({"word": word}, {"number": number})
        assets = v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS)
        options = {"assets_collection": assets, "main_op": v1.tables_initializer()}
        _build(folder, session, {"serving_default": signature}, **options)
    words.unlink()
    return {"word": np.array([b"two", b"three"])}, {"number": np.array([1, -1])}


def unbatched(folder: Path) -> tuple[Arrays, Arrays]:
    """Signatures that take any number of dimensions, and nothing at all."""

    @tf.function(input_signature=[tf.TensorSpec(None, name="x")])
    def double(x: Any) -> dict[str, Any]:
        return {"y": x * 2}

    @tf.function(input_signature=[])
    def version() -> dict[str, Any]:
        return {"version": tf.constant("1")}

    tf.saved_model.save(tf.Module(), str(folder), signatures={"serving_default": double, "version": version})
    return {"x": np.float32([[1], [2]])}, {"y": np.float32([[2], [4]])}


def writes(folder: Path) -> tuple[Arrays, Arrays]:
    """An attack: answering writes a file beside the SavedModel."""

    @tf.function(input_signature=[tf.TensorSpec([None], name="x")])
    def serve(x: Any) -> dict[str, Any]:
        tf.io.write_file(str(folder.with_suffix(".written")), "harmless")
        return {"y": x}

    tf.saved_model.save(tf.Module(), str(folder), signatures={"serving_default": serve})
    return {}, {}


def calls_python(folder: Path) -> tuple[Arrays, Arrays]:
    """Answering calls Python code, which no SavedModel holds."""

    @tf.function(input_signature=[tf.TensorSpec([None], name="x")])
    def serve(x: Any) -> dict[str, Any]:
        return {"y": tf.numpy_function(lambda a: a, [x], tf.float32)}

    tf.saved_model.save(tf.Module(), str(folder), signatures={"serving_default": serve})
    return {}, {}


def _build(folder: Path, session: Any, signatures: Mapping[str, Any], **options: Any) -> None:
    builder = v1.saved_model.Builder(str(folder))
    builder.add_meta_graph_and_variables(session, ["serve"], dict(signatures), **options)
    builder.save()


MODELS: tuple[Callable[[Path], tuple[Arrays, Arrays]], ...] = (
    *(module, keras3, tf_keras_text, half_plus_two, table_of_v1),
    *(asset_of_v1, unbatched, writes, calls_python),
)


def main(into: Path) -> None:
    for make in MODELS:
        inputs, outputs = make(into / make.__name__)
        arrays = {f"{side}/{k}": v for side, of in (("in", inputs), ("out", outputs)) for k, v in of.items()}
        np.savez(into / f"{make.__name__}.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
