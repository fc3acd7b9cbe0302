from __future__ import annotations

import json

import numpy as np
import pytest

from packager.contract import Sample
from packager.errors import RequestError, WrongAnswerError
from packager.smoketest.forms import COLUMNAR, ROW, forms_for


def make(inputs, outputs):
    return Sample(signature="serving_default", inputs=inputs, outputs=outputs)


@pytest.fixture
def two():
    """Two inputs and two outputs, three examples."""
    return make(
        {"a": np.arange(3, dtype=np.int32), "b": np.arange(6, dtype=np.float32).reshape(3, 2)},
        {"y": np.zeros(3, np.float32), "z": np.zeros((3, 2), np.float32)},
    )


def test_row_form_lists_examples_with_their_inputs_by_name(two):
    assert json.loads(ROW.request(two)) == {
        "signature_name": "serving_default",
        "instances": [{"a": 0, "b": [0.0, 1.0]}, {"a": 1, "b": [2.0, 3.0]}, {"a": 2, "b": [4.0, 5.0]}],
    }


def test_columnar_form_gives_whole_inputs_by_name(two):
    assert json.loads(COLUMNAR.request(two)) == {
        "signature_name": "serving_default",
        "inputs": {"a": [0, 1, 2], "b": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]},
    }


def test_floats_come_back_from_json_as_the_same_float32():
    values = np.random.default_rng(7).standard_normal(1000).astype(np.float32)
    sent = json.loads(COLUMNAR.request(make({"x": values}, {"y": values})))["inputs"]["x"]
    assert np.array_equal(np.array(sent, np.float32), values)


def test_bytes_are_sent_as_base64_and_special_floats_by_name():
    body = COLUMNAR.request(
        make({"s": np.array([b"\xff\x00\x01"]), "x": np.array([np.nan, np.inf, -np.inf])}, {"y": np.zeros(1)})
    )
    assert b'{"b64": "/wAB"}' in body
    assert b"[NaN, Infinity, -Infinity]" in body


def test_row_form_needs_the_batch_in_every_output(two):
    assert forms_for(two) == (ROW, COLUMNAR)
    scalar = make(two.inputs, {"y": np.float32(1) + np.zeros((), np.float32)})
    pooled = make(two.inputs, {"y": np.zeros((1, 4), np.float32)})
    assert forms_for(scalar) == forms_for(pooled) == (COLUMNAR,)


def test_row_form_needs_an_example():
    empty = make({"x": np.zeros((0, 2), np.float32)}, {"y": np.zeros((0, 1), np.float32)})
    assert forms_for(empty) == (COLUMNAR,)


@pytest.mark.parametrize("dtype", [np.float16, np.complex64])
def test_types_that_json_cannot_carry_are_not_asked(dtype):
    odd, plain = np.zeros(2, dtype), np.zeros(2, np.float32)
    assert forms_for(make({"x": odd}, {"y": plain})) == ()
    assert forms_for(make({"x": plain}, {"y": odd})) == ()


def test_several_outputs_are_told_apart_by_name(two):
    rows = [{"y": 1.0, "z": [2.0, 3.0]}, {"y": 4.0, "z": [5.0, 6.0]}, {"y": 7.0, "z": [8.0, 9.0]}]
    columns = {"y": [1.0, 4.0, 7.0], "z": [[2.0, 3.0], [5.0, 6.0], [8.0, 9.0]]}
    assert ROW.outputs({"predictions": rows}, two) == columns
    assert COLUMNAR.outputs({"outputs": columns}, two) == columns


def test_a_single_output_has_no_name_in_the_answer(sample):
    assert ROW.outputs({"predictions": [[1.0], [2.0]]}, sample) == {"y": [[1.0], [2.0]]}
    assert COLUMNAR.outputs({"outputs": [[1.0], [2.0]]}, sample) == {"y": [[1.0], [2.0]]}


def test_a_single_output_of_bytes_is_not_taken_for_a_named_one():
    texts = make({"x": np.zeros(1)}, {"y_bytes": np.array([b"a"])})
    assert ROW.outputs({"predictions": [{"b64": "YQ=="}]}, texts) == {"y_bytes": [{"b64": "YQ=="}]}


@pytest.mark.parametrize(
    ("form", "document"),
    [
        (ROW, {"predictions": [{"y": 1.0}, {"y": 2.0}, {"y": 3.0}]}),
        (ROW, {"predictions": [1.0, 2.0, 3.0]}),
        (COLUMNAR, {"outputs": {"y": [1.0], "z": [1.0], "extra": [1.0]}}),
        (COLUMNAR, {"outputs": [1.0, 2.0, 3.0]}),
    ],
)
def test_other_outputs_than_recorded_are_a_wrong_answer(form, document, two):
    with pytest.raises(WrongAnswerError, match="the source model with outputs 'y', 'z'"):
        form.outputs(document, two)


def test_a_named_output_where_one_nameless_was_recorded_is_a_wrong_answer(sample):
    with pytest.raises(WrongAnswerError, match="the server answers with outputs 'p', 'q'"):
        ROW.outputs({"predictions": [{"p": 1.0, "q": 2.0}]}, sample)


@pytest.mark.parametrize(
    ("form", "document"),
    [(ROW, {"outputs": []}), (COLUMNAR, {"predictions": []}), (ROW, [1.0]), (ROW, {"predictions": 3.0})],
)
def test_an_answer_of_another_kind_is_no_answer(form, document, sample):
    with pytest.raises(RequestError, match="the answer"):
        form.outputs(document, sample)
