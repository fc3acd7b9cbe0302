"""Inputs and outputs, however the generations of Keras spell them."""

from __future__ import annotations

from typing import Any

import pytest
from h5_files import functional, layer, sequential

from packager.h5.architecture import model_inputs, model_outputs

POLICY = {
    "module": "keras",
    "class_name": "DTypePolicy",
    "config": {"name": "mixed_float16"},
    "registered_name": None,
}


def inputs(config: Any) -> list[str]:
    return [str(spec) for spec in model_inputs(config)]


def input_layer(name: str, **config: Any) -> dict[str, Any]:
    return layer("InputLayer", name, **config)


A, B = (
    input_layer("a", batch_input_shape=[None, 3]),
    input_layer("b", batch_shape=[None, None, 1], dtype="int32"),
)


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([["b", 0, 0], ["a", 0, 0]], ["b: int32[?, ?, 1]", "a: float32[?, 3]"]),
        (["b", 0, 0], ["b: int32[?, ?, 1]"]),
        ({"second": ["b", 0, 0], "first": ["a", 0, 0]}, ["a: float32[?, 3]", "b: int32[?, ?, 1]"]),
        ([[["a", 0, 0]], {"x": ["b", 0, 0]}], ["a: float32[?, 3]", "b: int32[?, ?, 1]"]),
        ([["unknown", 0, 0]], []),
    ],
)
def test_inputs_of_a_functional_model_in_its_own_order(listed: Any, expected: list[str]) -> None:
    assert inputs(functional(listed, ["a", 0, 0], A, B)) == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (sequential(input_layer("in", batch_shape=[None, 4], dtype="string")), "in: string[?, 4]"),
        (sequential(layer("Dense", "d", batch_input_shape=[None, 4])), "d_input: float32[?, 4]"),
        (sequential(layer("Dense", "d", batch_input_shape=[8, 4], dtype=POLICY)), "d_input: float32[8, 4]"),
        (sequential(layer("Dense", "d", input_shape=[4, 2], dtype="float64")), "d_input: float64[?, 4, 2]"),
        (sequential(layer("Dense", "d", input_dim=4)), "d_input: float32[?, 4]"),
        (sequential(layer("LSTM", "l", input_dim=4, input_length=None)), "l_input: float32[?, ?, 4]"),
        (sequential(layer("Embedding", "e", input_dim=900, input_length=7)), "e_input: float32[?, 7]"),
        (
            sequential(layer("Embedding", "e", batch_input_shape=[None, 7], input_dtype="int32")),
            "e_input: int32[?, 7]",
        ),
        (sequential(layer("Dense", "d"), build_input_shape=[None, 6]), "d_input: float32[?, 6]"),
        (
            {"class_name": "Sequential", "config": [layer("Dense", "d", batch_input_shape=[None, 4])]},
            "d_input: float32[?, 4]",
        ),
        (sequential(sequential(input_layer("deep", batch_shape=[None, 2]))), "deep: float32[?, 2]"),
        (sequential(functional([["a", 0, 0]], [["a", 0, 0]], A)), "a: float32[?, 3]"),
    ],
)
def test_the_input_of_a_sequential_model(config: Any, expected: str) -> None:
    assert inputs(config) == [expected]


def test_models_merged_by_keras1_have_all_their_inputs() -> None:
    branches = [[layer("Dense", name, batch_input_shape=[None, size])] for name, size in (("x", 2), ("y", 3))]
    merge = layer(
        "Merge", "merge", layers=[{"class_name": "Sequential", "config": branch} for branch in branches]
    )
    assert inputs(sequential(merge)) == ["x_input: float32[?, 2]", "y_input: float32[?, 3]"]


@pytest.mark.parametrize(
    "shape", [[None, -1], [None, 2.5], [None, True], [None, "4"], [None, 2**63], "4", 4, {"a": 1}]
)
def test_a_shape_that_is_none_is_left_out(shape: Any) -> None:
    assert inputs(sequential(input_layer("in", batch_shape=shape))) == []


@pytest.mark.parametrize(
    "config", [{}, [], None, {"config": 3}, {"config": {"layers": [3]}}, {"config": {"layers": {}}}]
)
def test_what_is_no_model_has_no_inputs_and_outputs(config: Any) -> None:
    assert (inputs(config), model_outputs(config)) == ([], ())


def test_outputs_in_the_model_s_order() -> None:
    assert model_outputs(functional(["a", 0, 0], [["b", 0, 0], ["a", 0, 1]], A, B)) == ("b", "a")
    assert model_outputs(sequential(A, layer("Dense", "last"))) == ("last",)
