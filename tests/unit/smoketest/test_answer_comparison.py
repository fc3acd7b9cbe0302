from __future__ import annotations

import base64
import json
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from packager.errors import WrongAnswerError
from packager.smoketest.comparison import compare, decode

TOLERANCE = 1e-5
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
FLOATS = hnp.arrays(
    st.sampled_from([np.float32, np.float64]), SHAPES, elements=st.floats(width=32, allow_nan=True)
)
WHOLES = st.sampled_from([np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64]).flatmap(
    lambda dtype: hnp.arrays(dtype, SHAPES)
)
TEXTS = hnp.arrays(object, SHAPES, elements=st.text(max_size=5).map(lambda text: text.rstrip("\0")))


def through_json(array: np.ndarray) -> object:
    return json.loads(json.dumps(array.tolist()))


@given(FLOATS)
def test_a_float_output_equals_its_own_json(recorded):
    assert compare("y", recorded, through_json(recorded), tolerance=0) == 0


@given(WHOLES | hnp.arrays(bool, SHAPES))
def test_whole_numbers_and_truth_values_equal_their_own_json(recorded):
    assert compare("y", recorded, through_json(recorded), tolerance=0) == 0


@given(TEXTS)
def test_text_equals_its_own_json(texts):
    recorded = np.array([t.encode() for t in texts.flat], dtype=np.bytes_).reshape(texts.shape)
    assert compare("y", recorded, through_json(texts), tolerance=0) == 0


@given(FLOATS, st.data())
def test_a_float_is_right_exactly_within_the_tolerance(recorded, data):
    assume(recorded.size)
    index = data.draw(st.sampled_from(list(np.ndindex(recorded.shape))))
    value = float(recorded[index])
    assume(math.isfinite(value))
    allowed = TOLERANCE + TOLERANCE * abs(value)
    answered = recorded.astype(np.float64)
    answered[index] = value + allowed * data.draw(st.sampled_from([-0.9, 0.9]))
    assert compare("y", recorded, through_json(answered), tolerance=TOLERANCE) <= allowed
    answered[index] = value + allowed * data.draw(st.sampled_from([-1.1, 1.1]))
    with pytest.raises(WrongAnswerError, match=r"output 'y' is wrong"):
        compare("y", recorded, through_json(answered), tolerance=TOLERANCE)


@given(WHOLES, st.data())
def test_a_whole_number_off_by_one_is_wrong_however_large_it_is(recorded, data):
    assume(recorded.size)
    index = data.draw(st.sampled_from(list(np.ndindex(recorded.shape))))
    answered = recorded.astype(object)
    answered[index] += 1
    with pytest.raises(WrongAnswerError):
        compare("y", recorded, through_json(answered), tolerance=1.0)


@given(FLOATS)
def test_another_shape_is_wrong(recorded):
    assume(recorded.size)
    with pytest.raises(WrongAnswerError, match="shape"):
        compare("y", recorded, [through_json(recorded)], tolerance=TOLERANCE)


@pytest.mark.parametrize(
    ("recorded", "answered"),
    [
        (0.5, math.nan),
        (math.nan, 0.5),
        (math.inf, 5.0),
        (5.0, math.inf),
        (math.inf, -math.inf),
        (math.nan, math.inf),
        (2.0, None),
        (2.0, "2.0"),
        (1.0, True),
        (2.0, 10**400),
    ],
)
def test_what_is_not_the_recorded_float_is_wrong(recorded, answered):
    with pytest.raises(WrongAnswerError, match=r"at \[1\]"):
        compare("y", np.array([0.0, recorded], np.float32), [0.0, answered], tolerance=TOLERANCE)


@pytest.mark.parametrize(("recorded", "answered"), [(True, 1), (1, True), (1, 1.0), (1, "1"), (b"a", 97)])
def test_types_are_told_apart(recorded, answered):
    with pytest.raises(WrongAnswerError):
        compare("y", np.array([recorded]), [answered], tolerance=TOLERANCE)


def test_a_ragged_answer_is_wrong():
    with pytest.raises(WrongAnswerError, match=r"has shape \[2\], the source model's has \[2, 2\]"):
        compare("y", np.zeros((2, 2)), [[0.0, 0.0], [0.0]], tolerance=TOLERANCE)


def test_the_message_tells_the_worst_value_where_it_is_and_both_sides():
    recorded = np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)
    with pytest.raises(WrongAnswerError) as caught:
        compare("probs", recorded, [[0.1, 0.21], [0.9, 0.4]], tolerance=TOLERANCE)
    assert str(caught.value) == (
        "output 'probs' is wrong at [1, 0]: the server says 0.9, the source model said 0.300000012; "
        "the largest difference is 0.6, 2 of 4 values are off by more than 1e-05"
    )


@pytest.mark.parametrize(("answered", "enough"), [(2.001, 1e-3), (2.00005, 1e-4), (2.02, 1e-2)])
def test_the_hint_names_a_tolerance_that_is_enough(answered, enough):
    recorded = np.array([2.0])
    with pytest.raises(WrongAnswerError) as caught:
        compare("y", recorded, [answered], tolerance=TOLERANCE)
    named = float(caught.value.hint.rpartition(" ")[2])
    assert named == pytest.approx(enough)
    assert compare("y", recorded, [answered], tolerance=named) == pytest.approx(answered - 2.0)


@pytest.mark.parametrize("answered", [3.0, math.nan])
def test_no_tolerance_is_offered_for_another_model(answered):
    with pytest.raises(WrongAnswerError) as caught:
        compare("y", np.array([2.0]), [answered], tolerance=TOLERANCE)
    assert "--tolerance" not in caught.value.hint


@given(st.binary(max_size=20).map(lambda content: content.rstrip(b"\0")))
def test_bytes_are_compared_exactly(content):
    written = {"b64": base64.b64encode(content).decode()}
    recorded = np.array([content, b"x"])
    assert compare("y_bytes", recorded, [written, {"b64": "eA=="}], tolerance=TOLERANCE) == 0
    with pytest.raises(WrongAnswerError, match=r"at \[1\]"):
        compare("y_bytes", recorded, [written, {"b64": "eQ=="}], tolerance=TOLERANCE)


def test_a_string_that_is_not_utf8_survives_as_surrogates():
    assert decode(b"\xff\xfe".decode("utf-8", "surrogateescape")) == b"\xff\xfe"


def test_broken_base64_is_shown_as_it_came():
    with pytest.raises(WrongAnswerError, match=r"\{'b64': '\?'\}"):
        compare("y_bytes", np.array([b"a"]), [{"b64": "?"}], tolerance=TOLERANCE)
