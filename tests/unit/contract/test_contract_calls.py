"""Example requests in every form, from recorded samples."""

from __future__ import annotations

import numpy as np

from packager.contract import LIMIT, Sample, example_calls
from packager.protocol import message
from packager.values import Signature, TensorSpec

PREDICT = "tensorflow/serving/predict"


def signature(key: str = "serving_default", method: str = PREDICT) -> Signature:
    spec = TensorSpec(name="x", dtype="float32", shape=(None, 2))
    return Signature(key=key, method=method, inputs=(spec,), outputs=(spec,))


def text(*values: bytes) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def test_the_smallest_sample_is_shown_in_all_forms() -> None:
    samples = [
        Sample(
            signature="serving_default",
            inputs={"x": np.full((batch, 2), 0.1, np.float32), "n": np.arange(batch)},
            outputs={"y": np.full((batch, 1), 0.7, np.float32)},
        )
        for batch in (3, 1)
    ]
    (call,) = example_calls([signature()], samples, "m")
    assert call.interface == "predict"
    assert call.row == {"instances": [{"x": [0.1, 0.1], "n": 0}]}
    assert call.row_answer == {"predictions": [[0.7]]}
    assert call.columnar == {"inputs": {"x": [[0.1, 0.1]], "n": [0]}}
    assert call.columnar_answer == {"outputs": [[0.7]]}
    assert call.grpc is not None
    assert call.grpc.startswith('model_spec {\n  name: "m"\n  signature_name: "serving_default"\n}\n')
    assert "dtype: DT_INT64" in call.grpc


def test_other_signatures_are_named_and_several_outputs_too() -> None:
    sample = Sample(
        signature="both",
        inputs={"x": np.zeros((1, 2), np.float32)},
        outputs={"a": np.zeros(1, np.int32), "b": text(b"yes")},
    )
    (call,) = example_calls([signature("both")], [sample], "m")
    assert call.row == {"signature_name": "both", "instances": [{"x": [0.0, 0.0]}]}
    assert call.row_answer == {"predictions": [{"a": 0, "b": "yes"}]}


def test_bytes_are_base64_where_they_are_no_text_or_named_bytes() -> None:
    sample = Sample(
        signature="serving_default",
        inputs={"image_bytes": text(b"abc"), "raw": text(b"\xff\x00"), "word": text("grün".encode())},
        outputs={"y": np.zeros(1)},
    )
    (call,) = example_calls([signature()], [sample], "m")
    assert call.row == {
        "instances": [{"image_bytes": {"b64": "YWJj"}, "raw": {"b64": "/wA="}, "word": "grün"}]
    }
    assert call.grpc is not None
    assert r'string_val: "\377\000"' in call.grpc


def test_a_form_that_cannot_carry_the_types_is_left_out() -> None:
    half = Sample(
        signature="serving_default",
        inputs={"x": np.zeros((1, 2), np.float16)},
        outputs={"y": np.zeros(1, np.float16)},
    )
    (call,) = example_calls([signature()], [half], "m")
    assert (call.row, call.columnar) == (None, None)
    assert call.grpc is not None
    assert "DT_HALF" in call.grpc


def test_an_output_without_the_batch_has_no_row_form() -> None:
    scalar = Sample(
        signature="serving_default",
        inputs={"x": np.zeros((1, 2), np.float32)},
        outputs={"y": np.array(2.5, np.float32)},
    )
    (call,) = example_calls([signature()], [scalar], "m")
    assert call.row is None
    assert call.columnar_answer == {"outputs": 2.5}


def test_an_answer_that_strict_json_cannot_hold_is_left_out() -> None:
    sample = Sample(
        signature="serving_default",
        inputs={"x": np.zeros((1, 2), np.float32)},
        outputs={"y": np.array([np.nan], np.float32)},
    )
    (call,) = example_calls([signature()], [sample], "m")
    assert call.row is not None
    assert (call.row_answer, call.columnar_answer) == (None, None)


def test_what_is_too_long_is_left_out_of_contracts_only() -> None:
    sample = Sample(
        signature="serving_default",
        inputs={"x": np.zeros((1, LIMIT), np.float32)},
        outputs={"y": np.zeros(1, np.float32)},
    )
    (short,) = example_calls([signature()], [sample], "m")
    (whole,) = example_calls([signature()], [sample], "m", limit=None)
    assert (short.row, short.grpc) == (None, None)
    assert whole.row == {"instances": [{"x": [0.0] * LIMIT}]}


def test_an_answer_that_is_too_long_is_left_out_alone() -> None:
    sample = Sample(
        signature="serving_default",
        inputs={"x": np.zeros((1, 2), np.float32)},
        outputs={"mask": np.zeros((1, LIMIT), np.int32)},
    )
    (call,) = example_calls([signature()], [sample], "m")
    assert call.row == {"instances": [{"x": [0.0, 0.0]}]}
    assert (call.row_answer, call.columnar_answer) == (None, None)


def example(**features: list[float] | list[int] | list[bytes]) -> bytes:
    made = message("Example")()
    for name, values in features.items():
        kind = {float: "float_list", int: "int64_list", bytes: "bytes_list"}[type(values[0])]
        getattr(made.features.feature[name], kind).value.extend(values)
    serialised: bytes = made.SerializeToString()
    return serialised


def test_classify_is_asked_with_features_and_answers_with_labels() -> None:
    sample = Sample(
        signature="classify",
        inputs={"inputs": text(example(x=[0.1, 0.25], n=[3], word=[b"two"]))},
        outputs={
            "scores": np.array([[0.25, 0.75]], np.float32),
            "classes": np.array([[b"no", b"yes"]], object),
        },
    )
    (call,) = example_calls([signature("classify", "tensorflow/serving/classify")], [sample], "m")
    assert call.interface == "classify"
    assert call.row == {"signature_name": "classify", "examples": [{"n": 3, "word": "two", "x": [0.1, 0.25]}]}
    assert call.row_answer == {"results": [[["no", 0.25], ["yes", 0.75]]]}
    assert call.columnar is None
    assert call.grpc is not None
    assert "float_list {" in call.grpc


def test_regress_answers_with_a_number_for_each_example() -> None:
    sample = Sample(
        signature="regress",
        inputs={"inputs": text(example(x=[0.5]))},
        outputs={"outputs": np.array([1.5], np.float32)},
    )
    (call,) = example_calls([signature("regress", "tensorflow/serving/regress")], [sample], "m")
    assert call.row_answer == {"results": [1.5]}


def test_a_signature_without_samples_has_no_example() -> None:
    assert example_calls([signature()], [], "m") == ()
