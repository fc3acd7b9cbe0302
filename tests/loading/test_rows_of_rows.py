"""Products of tensors of many dimensions with matrices, as models of Keras 3 are asked and traced."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow


def traced(function: Any, shape: tuple[int | None, ...], dtype: str = "float32") -> Any:
    import tensorflow as tf

    specs = [tf.TensorSpec(shape, dtype)]
    return tf.function(function, input_signature=specs, autograph=False).get_concrete_function()


def product(matrix: Any, *, frugal: bool) -> Any:
    from contextlib import nullcontext

    import keras

    from packager.loading.frugal import frugal_answering

    def call(x: Any) -> Any:
        with frugal_answering() if frugal else nullcontext():
            return keras.ops.matmul(x, matrix)

    return call


def operations(function: Any) -> set[str]:
    return {operation.type for operation in function.graph.get_operations()}


@pytest.mark.parametrize(
    ("shape", "asked"),
    [
        ((None, 5, 7), (3, 5, 7)),
        ((None, 5, 7), (0, 5, 7)),
        ((4, None, 7), (4, 9, 7)),
        ((None, 2, 3, 4, 7), (2, 2, 3, 4, 7)),
        ((3, 5, 7), (3, 5, 7)),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_one_that_knows_its_shape_is_multiplied_without_asking_for_it(
    shape: tuple[int | None, ...], asked: tuple[int, ...], dtype: str
) -> None:
    import tensorflow as tf

    random = np.random.default_rng(0)
    matrix = tf.cast(random.standard_normal((7, 11)), dtype)
    x = tf.cast(random.standard_normal(asked), dtype)
    usual, ours = (traced(product(matrix, frugal=frugal), shape, dtype) for frugal in (False, True))
    assert "Shape" not in operations(ours)
    assert ours.structured_outputs.shape.as_list() == usual.structured_outputs.shape.as_list()
    assert ours.structured_outputs.dtype == usual.structured_outputs.dtype
    expected = usual(x).numpy()
    assert expected.shape == (*asked[:-1], 11)
    for answer in (ours(x), product(matrix, frugal=True)(x)):
        np.testing.assert_array_equal(answer.numpy().view(np.uint8), expected.view(np.uint8))


@pytest.mark.parametrize(
    ("shape", "dtype", "of"),
    [
        ((None, None, 7), "float32", "float32"),
        ((None, 0, 7), "float32", "float32"),
        (None, "float32", "float32"),
        ((None, 7), "float32", "float32"),
        ((None, 5, 7), "float16", "float32"),
        ((None, 5, 7), "int32", "int32"),
        ((None, 5, 7), "int8", "int8"),
    ],
)
def test_any_other_is_multiplied_as_keras_does(
    shape: tuple[int | None, ...] | None, dtype: str, of: str
) -> None:
    import tensorflow as tf

    matrix = tf.cast(np.arange(21).reshape(7, 3) % 5, of)
    x = tf.cast(np.arange(70).reshape(2, 5, 7) % 7, dtype)
    if shape is not None and len(shape) == 2:
        x = x[0]
    elif shape is not None and 0 in shape:
        x = x[:, :0]
    usual, ours = (traced(product(matrix, frugal=frugal), shape, dtype) for frugal in (False, True))
    assert operations(ours) == operations(usual)
    np.testing.assert_array_equal(ours(x), usual(x))


def test_a_sparse_one_and_a_variable_that_casts_itself() -> None:
    import keras
    import tensorflow as tf

    sparse = tf.sparse.from_dense(np.eye(2, 7, dtype="float32"))
    matrix = keras.Variable(np.arange(21, dtype="float32").reshape(7, 3))
    np.testing.assert_array_equal(product(matrix, frugal=True)(sparse), matrix.numpy()[:2])
    layer = keras.layers.Dense(3, dtype="mixed_float16")
    x = tf.cast(np.random.default_rng(0).standard_normal((2, 5, 7)), "float16")
    expected = layer(x)
    answer = product(layer.kernel, frugal=True)
    assert answer(tf.cast(x, "float32")).dtype == tf.float32
    from packager.loading.frugal import frugal_answering

    with frugal_answering():
        found = layer(x)
    assert found.dtype == tf.float16
    np.testing.assert_array_equal(found, expected)
