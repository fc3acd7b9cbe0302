"""Numbers: RapidJSON's reading and writing of doubles, and the decimals of answers."""

from __future__ import annotations

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.serving.rest.decimals import double_texts, float_texts
from packager.serving.rest.rapidjson_numbers import NumberTooBigError, read_decimal, write_double

doubles = st.floats(allow_nan=False, allow_infinity=False)
floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(doubles)
def test_a_written_double_reads_as_itself(value: float) -> None:
    text = write_double(value)
    assert float(text) == value
    assert math.copysign(1, float(text)) == math.copysign(1, value)


@given(doubles)
def test_a_read_double_is_off_by_little(value: float) -> None:
    read = read_decimal(repr(value))
    assert isinstance(read, float)
    assert abs(read - value) <= 4 * math.ulp(value)


@given(st.integers(min_value=-(2**63), max_value=2**64 - 1))
def test_integers_of_64_bits_are_exact(value: int) -> None:
    assert read_decimal(str(value)) == value
    assert type(read_decimal(str(value))) is int


@given(st.integers(min_value=2**64, max_value=10**300))
def test_larger_integers_become_doubles(value: int) -> None:
    read = read_decimal(str(value))
    assert isinstance(read, float)
    assert read == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("123456789.123456789", 123456789.1234568),  # the nearest double is one unit in the last place above
        ("1e-400", 0.0),
        ("5e-324", 5e-324),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("0.1", 0.1),
        ("1E5", 100000.0),
        ("1e-99999999999999999999", 0.0),
    ],
)
def test_reading_has_normal_precision(text: str, value: float) -> None:
    assert repr(read_decimal(text)) == repr(value)


@pytest.mark.parametrize("text", ["1e309", "1e400", "123e99999999999999", "1" + "0" * 309])
def test_numbers_beyond_a_double_are_refused(text: str) -> None:
    with pytest.raises(NumberTooBigError):
        read_decimal(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (0.1, "0.1"),
        (1e21, "1e21"),
        (1e20, "100000000000000000000.0"),
        (1.5e-7, "1.5e-7"),
        (0.000001, "0.000001"),
        (18446744073709551616.0, "18446744073709553000.0"),
        (5e-324, "5e-324"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
    ],
)
def test_doubles_are_written_by_grisu(value: float, text: str) -> None:
    assert write_double(value) == text


@given(st.lists(floats))
def test_floats_of_answers_read_as_themselves(values: list[float]) -> None:
    texts = float_texts(values)
    assert array("f", map(float, texts)) == array("f", values)
    assert all("." in text or "e" in text for text in texts)


@given(st.lists(doubles))
def test_doubles_of_answers_read_as_themselves(values: list[float]) -> None:
    assert list(map(float, double_texts(values))) == values


def test_floats_have_six_digits_or_nine() -> None:
    values = array("f", [9000000, 999999, 0.5, 3e-05, 555557.5, 1435774380, 0.1, -0.0, 1e10])
    assert float_texts(values.tolist()) == [
        *("9e+06", "999999.0", "0.5", "3e-05", "555557.5", "1.43577434e+09", "0.1", "-0.0", "1e+10"),
    ]


def test_doubles_have_six_digits_or_seventeen() -> None:
    assert double_texts([0.1, 1e21, 123456789.0, 3.141592653589793, 2.5]) == [
        *("0.1", "1e+21", "123456789.0", "3.1415926535897931", "2.5"),
    ]


def test_what_is_no_number_is_written_bare() -> None:
    assert float_texts([math.nan, math.inf, -math.inf, 1.0]) == ["NaN", "Infinity", "-Infinity", "1.0"]
