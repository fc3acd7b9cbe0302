"""Large requests of numbers: read as the other readers read them, or left to them."""

from __future__ import annotations

import json
import threading
from array import array
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from packager.serving.native.dtypes import DType
from packager.serving.rest import dense, numeric, parsing, strict
from packager.serving.rest.dense import IrregularError
from packager.serving.rest.numeric import read_numeric_request
from packager.serving.rest.predict_request import read_any_request
from packager.serving.status import StatusError, invalid_argument


class Made(NamedTuple):
    """Stands for a tensor: it needs no TensorFlow."""

    dtype: DType
    shape: tuple[int, ...]
    data: Any

    @classmethod
    def from_bytes(cls, dtype: DType, shape: Sequence[int], data: bytes) -> Made:
        return cls(dtype, tuple(shape), data)

    @classmethod
    def from_strings(cls, shape: Sequence[int], values: Sequence[bytes]) -> Made:
        return cls(DType.STRING, tuple(shape), list(values))


def made_of_doubles(shape: Sequence[int], doubles: memoryview) -> Made:
    return Made(DType.FLOAT, tuple(shape), array("f", doubles.cast("d")).tobytes())


@pytest.fixture(autouse=True, scope="module")
def _without_tensorflow() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        for module in (dense, numeric, strict):
            patch.setattr(module, "Tensor", Made)
        patch.setattr(numeric, "float_tensor", made_of_doubles)
        patch.setattr(numeric, "_LEAST_BYTES_OF_ROW", 1)
        yield


def read(reader: Any, body: bytes, dtypes: dict[str, DType]) -> Any:
    """Return what a reader makes of a body, its error included; None if it leaves it to others."""

    def find(key: str) -> Any:
        if key not in ("", "serving_default"):
            raise invalid_argument(f"no {key}")
        return SimpleNamespace(dtypes=dtypes, inputs=dtypes)

    try:
        request = reader(body, find)
    except IrregularError:
        return None
    except StatusError as error:
        return error.code, error.message
    return request.in_rows, dict(request.inputs)


FLOAT = {"x": DType.FLOAT}
TWO = {"x": DType.FLOAT, "n": DType.INT64}


@pytest.mark.parametrize(
    ("body", "dtypes", "shapes"),
    [
        ('{"instances": [[1.5, 2], [3, 4]]}', FLOAT, {"x": (2, 2)}),
        ('{"instances":[1.5]}', FLOAT, {"x": (1,)}),
        ('{"instances":[[[1],[2]]] , "signature_name":"serving_default"}', FLOAT, {"x": (1, 2, 1)}),
        ('{"signature_name":"","inputs":[1,-2e-3]}', FLOAT, {"x": (2,)}),
        ('{"inputs":{"x":[[0.25]],"n":[7]}}', TWO, {"x": (1, 1), "n": (1,)}),
        ('{"instances":[{"x":[1.5],"n":[1,2]},{"n":[3,4],"x":[2]}]}', TWO, {"x": (2, 1), "n": (2, 2)}),
        ('{"instances":[-128,127]}', {"x": DType.INT8}, {"x": (2,)}),
        ('{"instances":[18446744073709551615]}', {"x": DType.UINT64}, {"x": (1,)}),
        ('{"instances":[1e-45]}', FLOAT, {"x": (1,)}),
    ],
)
def test_regular_numbers_are_taken(
    body: str, dtypes: dict[str, DType], shapes: dict[str, tuple[int, ...]]
) -> None:
    found = read(read_numeric_request, body.encode(), dtypes)
    assert found == read(read_any_request, body.encode(), dtypes)
    assert {name: tensor.shape for name, tensor in found[1].items()} == shapes


@pytest.mark.parametrize(
    "body",
    [
        *('{"instances":[]}', '{"instances":[[],[]]}', '{"instances":[[1],[]]}', '{"instances":[[1],2]}'),
        *(
            '{"instances":[[1,2],[3]]}',
            '{"instances":[[1,2],[3],[4,5,6]]}',
            '{"instances":[[1,2],[[3],[4]]]}',
        ),
        *(
            '{"instances":[[1,2],[3,[4]]]}',
            '{"instances":[[[1],[2]],[[3,4]]]}',
            '{"instances":[[1,2],[[],3,4]]}',
        ),
        *('{"instances":[true]}', '{"instances":[null]}', '{"instances":["1"]}', '{"instances":[1,{}]}'),
        *('{"instances":1}', '{"inputs":1}', '{"inputs":{"x":1}}', '{"inputs":{"x":[1],"y":[1]}}'),
        *(
            '{"instances":[1],"instances":[2]}',
            '{"inputs":{"x":[1],"x":[1]}}',
            '{"instances":[1],"inputs":[1]}',
        ),
        *(
            '{"instances":[1],"more":0}',
            '{"instances":[1],"signature_name":1}',
            '{"instances":[1]}}',
            "[1]",
            "1",
        ),
        *('{"instances":[1e400]}', '{"instances":[NaN]}', '{"instances":[-Infinity]}', '{"instances":[01]}'),
        *('{"instances":[18446744073709551616]}', '{"instances":[1] x', '{"instances":[1,]}', "", "{}", "{"),
        *(
            '{"instances":[{"x":[1]},{"x":[1,2]}]}',
            '{"instances":[{"x":[1]},[1]]}',
            '{"instances":[{"x":1}]}',
        ),
        *('{"in\\u0073tances":[1]}', '{"instances":[1],"signature_name":"\\n"}', '{"instances":[{"y":[1]}]}'),
        '\ufeff{"instances":[1]}',
        '{"instances":' + "[" * 300 + "1" + "]" * 300 + "}",
        '{"instances":' + "[" * 2000 + "1" + "]" * 2000 + "}",
        '{"instances":[' + "[" * 200 + "1" + "]" * 200 + ",1" * 100_000 + "]}",
    ],
)
def test_what_is_not_plainly_regular_is_left_to_the_other_readers(body: str) -> None:
    assert read(read_numeric_request, body.encode(), FLOAT) is None


@pytest.mark.parametrize(
    ("number", "dtype"),
    [
        ("1.0", DType.INT32),
        ("2147483648", DType.INT32),
        ("4294967296", DType.UINT32),
        ("-1", DType.UINT32),
        ("9223372036854775808", DType.INT64),
        ("-1", DType.UINT64),
        ("1", DType.DOUBLE),
        ("1", DType.BOOL),
        ("1", DType.HALF),
    ],
)
def test_numbers_that_a_type_does_not_take_are_left_too(number: str, dtype: DType) -> None:
    assert read(read_numeric_request, b'{"instances":[%b]}' % number.encode(), {"x": dtype}) is None


@pytest.mark.parametrize("tail", [b"\xff", b"\x00", b"\x01"])
def test_what_is_no_text_is_left_too(tail: bytes) -> None:
    assert read(read_numeric_request, b'{"instances":[1],"signature_name":"%b"}' % tail, FLOAT) is None


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda value: f"{value:.9g}"),
    st.integers(-(2**65), 2**65).map(str),
    st.integers(-300, 300).map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
)
SHAPES = st.lists(st.integers(1, 3), min_size=1, max_size=4)
DTYPES = st.sampled_from([*numeric._KINDS, DType.FLOAT, DType.FLOAT, DType.DOUBLE, DType.STRING])


@st.composite
def arrays(draw: st.DrawFn) -> str:
    space = draw(st.sampled_from(["", " ", "\r\n\t"]))

    def text(shape: list[int]) -> str:
        if not shape:
            return draw(NUMBERS)
        return f"[{space}{f',{space}'.join(text(shape[1:]) for _ in range(shape[0]))}{space}]"

    return text(draw(SHAPES))


@st.composite
def bodies(draw: st.DrawFn) -> str:
    name = json.dumps(draw(st.sampled_from(["x", "n", "é", "a[1]", "e1", "b64"])), ensure_ascii=False)
    body = draw(
        st.sampled_from(
            [
                *('{"instances":A}', '{"inputs":A}', '{"inputs":{N:A}}', '{"instances":[{N:A}]}'),
                *('{"instances":[{N:A},{N:A}]}', '{"signature_name":"no","instances":A}'),
                '{"instances":A,"signature_name":"serving_default"}',
            ]
        )
    )
    array_text = draw(arrays())
    body = body.replace("A", array_text).replace("N", name)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(body)))
        cut = draw(st.integers(0, 2))
        body = (
            body[:at]
            + draw(st.sampled_from(["", *'[]{},:".-e01 \\x', "],[", "[]", '"x":[1],']))
            + body[at + cut :]
        )
    return body


@given(bodies(), DTYPES)
@example('{"instances":[[1,2],[[3],[4]]]}', DType.FLOAT)
@example('{"instances":[16777217,1.00000017881393432617187499,-0,-0.0,3.5e38]}', DType.FLOAT)
def test_what_is_taken_is_what_the_other_readers_read(body: str, dtype: DType) -> None:
    dtypes = {
        name: dtype
        for name in ("x", "n", "é", "a[1]", "e1", "b64")
        if json.dumps(name, ensure_ascii=False) in body
    }
    dtypes = dict(list(dtypes.items())[:1]) or {"x": dtype}
    found = read(read_numeric_request, body.encode(), dtypes)
    assert found is None or found == read(read_any_request, body.encode(), dtypes)


def test_threads_share_the_parser_and_each_gets_its_own_numbers() -> None:
    wrong: list[int] = []

    def ask(number: int) -> None:
        body = json.dumps({"instances": [[number] * 2000] * 3}).encode()
        for _ in range(30):
            _, inputs = read(read_numeric_request, body, FLOAT)
            if array("f", inputs["x"].data) != array("f", [number] * 6000):
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_error_that_holds_a_document_is_in_nobodys_way() -> None:
    def refuse(_: str) -> Any:
        raise invalid_argument("no")

    with pytest.raises(StatusError) as held:
        read_numeric_request(b'{"instances":[1]}', refuse)
    assert read(read_numeric_request, b'{"instances":[2]}', FLOAT) is not None
    assert held.value.message == "no"


def test_the_memory_of_large_bodies_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "_KEPT_BYTES", 10)
    monkeypatch.setattr(parsing, "_SECONDS", 0.05)
    kept = parsing.Parsing()
    small, large = b"[1]", b"[1,2,3,4,5,6]"
    first = kept._parser
    kept.read(small, len)
    assert kept.read(large, len) == 6
    assert kept._parser is first
    for timer in [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]:
        timer.join(10)
    assert kept._parser is not first
    assert kept.read(large, len) == 6
