"""A small model with inputs and outputs of float, int64 and string, and what it has to answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from packager.contract import Contract, Sample


def answers(weights: np.ndarray, a: np.ndarray, b: np.ndarray, word: np.ndarray) -> dict[str, np.ndarray]:
    """What the model below computes, computed without it."""
    return {"sum": a @ weights, "twice": b * 2, "word_bytes": word}


def export(folder: Path, weights: np.ndarray) -> None:
    """Save a model with three inputs and three outputs, of float, int64 and string."""
    import tensorflow as tf

    class Model(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = tf.Variable(weights)

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 2], tf.float32, "a"),
                tf.TensorSpec([None], tf.int64, "b"),
                tf.TensorSpec([None], tf.string, "word"),
            ]
        )
        def __call__(self, a, b, word):  # type: ignore[no-untyped-def]
            return {"sum": a @ self.weights, "twice": b * 2, "word_bytes": tf.identity(word)}

    model = Model()
    tf.saved_model.save(model, str(folder), signatures={"serving_default": model.__call__})


def recorded(weights: np.ndarray) -> Contract:
    random = np.random.default_rng(7)
    samples = []
    for batch in (1, 2, 5):
        a = random.standard_normal((batch, 2)).astype(np.float32)
        b = random.integers(-(2**40), 2**40, batch)
        word = np.array([b"a\xff%d" % i for i in range(batch)])
        inputs = {"a": a, "b": b, "word": word}
        samples.append(Sample(signature="serving_default", inputs=inputs, outputs=answers(weights, **inputs)))
    return Contract(
        source="m.h5",
        source_sha256="0",
        tensorflow="2.20.0",
        loader="none",
        signatures=(),
        samples=tuple(samples),
    )
