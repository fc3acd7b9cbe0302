"""Large requests over gRPC: read without protobuf where they can be, and never otherwise than by it."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from embedded_server import Served
from google.protobuf.message import DecodeError
from grpc_client import Client, predict_request, spec

from packager.protocol import message
from packager.serving.native.tensors import Tensor
from packager.serving.rpc.requests import LARGE, PredictRequest
from packager.serving.status import StatusError

pytestmark = pytest.mark.tensorflow

COUNT = LARGE // 4
CONTENT = random.Random(5).randbytes(4 * COUNT)
OTHER = random.Random(6).randbytes(4 * COUNT)


def tensor(content: bytes = b"", shape: tuple[int, ...] = (COUNT,), dtype: int = 1, **fields: Any) -> bytes:
    proto = message("TensorProto")(dtype=dtype, tensor_content=content, **fields)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto.SerializeToString()


def field(number: int, content: bytes) -> bytes:
    """Write a field of bytes as protobuf does."""
    length, parts = len(content), bytearray()
    while length > 0x7F:
        parts.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes((number << 3 | 2, *parts, length)) + content


def entry(alias: bytes, serialised: bytes) -> bytes:
    return field(2, field(1, alias) + field(2, serialised))


MODEL = field(1, b"\x0a\x01m")
UNKNOWN_RANK = tensor(CONTENT, ()) + field(2, b"\x18\x01")

USUAL = {
    "content": entry(b"x", tensor(CONTENT)) + MODEL,
    "floats": MODEL + entry(b"x", tensor(float_val=struct.unpack(f"<{COUNT}f", bytes(4 * COUNT)))),
    "doubles": entry(b"x", tensor(dtype=2, float_val=[], double_val=[0.5] * COUNT)),
    "whole numbers": MODEL + entry(b"x", tensor(CONTENT, (COUNT // 8, 1, 4), 9)),
    "bytes": entry(b"x", tensor(CONTENT, (2, 2 * COUNT), 4)),
    "halves": entry(b"x", tensor(CONTENT, (COUNT, 2), 19)),
    "two, and a small one": entry(b"x", tensor(CONTENT))
    + entry(b"z", tensor(b"abcd", (1,)))
    + MODEL
    + entry(b"y", tensor(OTHER))
    + field(3, b"out"),
}
UNUSUAL = {
    "an alias twice": entry(b"x", tensor(CONTENT)) + entry(b"x", tensor(OTHER)) + MODEL,
    "an alias twice, once small": entry(b"x", tensor(CONTENT)) + entry(b"x", tensor(b"abcd", (1,))),
    "the tensor before the alias": field(2, field(2, tensor(CONTENT)) + field(1, b"x")),
    "no alias": field(2, field(2, tensor(CONTENT))),
    "two tensors of one alias": field(
        2, field(1, b"x") + field(2, tensor(CONTENT)) + field(2, tensor(OTHER))
    ),
    "an alias that is no text": entry(b"\xff", tensor(CONTENT)),
    "content twice": entry(b"x", tensor(CONTENT) + field(4, OTHER)),
    "content and values": entry(b"x", tensor(CONTENT, float_val=[1.0])),
    "too few": entry(b"x", tensor(CONTENT, (COUNT + 1,))),
    "too many": entry(b"x", tensor(CONTENT, (COUNT - 1,))),
    "values to be repeated": entry(b"x", tensor(shape=(2 * COUNT,), float_val=[0.5] * COUNT)),
    "values of another type": entry(b"x", tensor(dtype=2, float_val=[0.5] * COUNT)),
    "less than nothing": entry(b"x", tensor(CONTENT, (-COUNT, -1))),
    "of unknown rank": entry(b"x", UNKNOWN_RANK),
    "more dimensions than there are": entry(b"x", tensor(CONTENT, (COUNT, *[1] * 254))),
    "strings": entry(b"x", tensor(dtype=7, string_val=[CONTENT])),
    "a type that is none": entry(b"x", tensor(CONTENT, dtype=99)),
    "a reference": entry(b"x", tensor(CONTENT, dtype=101)),
    "truths": entry(b"x", tensor(bytes(4 * COUNT), (4 * COUNT,), 10)),
    "quantised": entry(b"x", tensor(CONTENT, (4 * COUNT,), 11)),
    "a field that is not known": entry(b"x", tensor(CONTENT) + field(30, b"?")) + field(9, b"?"),
    "a group": entry(b"x", tensor(CONTENT)) + b"\x4b\x4c",
    "cut off": (MODEL + entry(b"x", tensor(CONTENT)))[:-1],
    "a length beyond the end": MODEL + b"\x12\xff\xff\xff\x7f" + CONTENT,
    "many fields": MODEL * 200 + entry(b"x", tensor(CONTENT)),
    "a large name": field(1, field(1, b"m" * LARGE)),
    "nothing of it": CONTENT,
}


def outcome(parse: Any, serialised: bytes) -> Any:
    """Return what is read from a request, as values that can be compared, or the kind of failure."""
    try:
        request = parse(serialised)
        inputs = {
            alias: value if isinstance(value, Tensor) else Tensor.from_proto(value)
            for alias, value in request.inputs.items()
        }
    except (DecodeError, StatusError) as error:
        return type(error)
    told = getattr(request, "message", request)
    read = {
        alias: (t.dtype, t.shape, t.to_bytes() if t.dtype != 7 else t.to_strings())
        for alias, t in inputs.items()
    }
    return read, told.model_spec, list(told.output_filter)


def by_protobuf(serialised: bytes) -> Any:
    return message("PredictRequest").FromString(serialised)


@pytest.mark.parametrize("name", [*USUAL, *UNUSUAL])
def test_a_large_request_is_read_as_protobuf_and_tensorflow_read_it(name: str) -> None:
    serialised = (USUAL | UNUSUAL)[name]
    assert len(serialised) >= LARGE
    assert outcome(PredictRequest.parse, serialised) == outcome(by_protobuf, serialised)


@pytest.mark.parametrize("name", USUAL)
def test_usual_tensors_are_read_without_them(name: str) -> None:
    inputs = PredictRequest.parse(USUAL[name]).inputs
    assert [alias for alias, value in inputs.items() if isinstance(value, Tensor)] == [
        alias for alias in inputs if alias != "z"
    ]


def test_requests_with_something_wrong_are_read_as_protobuf_and_tensorflow_read_them() -> None:
    chance = random.Random(11)
    taken = 0
    for _ in range(600):
        serialised = bytearray(chance.choice([*USUAL.values(), *UNUSUAL.values()]))
        for _ in range(chance.choice([1, 1, 2, 5])):  # close to an end, where there are fields
            at = chance.randrange(40)
            serialised[at if chance.random() < 0.7 else -1 - at] = chance.choice(
                [0, 1, 2, 8, 10, 18, 34, 127, 128, 255]
            )
        if chance.random() < 0.1:
            del serialised[chance.randrange(30)]
        given = bytes(serialised)
        read = outcome(PredictRequest.parse, given)
        assert read == outcome(by_protobuf, given), given[:60]
        taken += isinstance(read, tuple)
    assert 60 < taken < 540


@pytest.fixture(scope="module")
def client(asked: Served) -> Iterator[Client]:
    with grpc.insecure_channel(f"127.0.0.1:{asked.grpc_port}") as channel:
        yield Client(channel)


def test_a_large_tensor_comes_back_as_it_was_sent(client: Client) -> None:
    values = struct.unpack(f"<{COUNT}i", CONTENT)
    response = client.call(
        "Predict", predict_request(spec("echo_int32"), x=tensor(CONTENT, (2, COUNT // 2), 3))
    )
    answer = message("TensorProto").FromString(response.outputs["x"])
    assert tuple(answer.int_val) == values
    assert [dim.size for dim in answer.tensor_shape.dim] == [2, COUNT // 2]


def test_a_large_tensor_that_is_not_whole_is_refused_as_a_small_one_is(client: Client) -> None:
    request = predict_request(spec("echo_float32"), x=tensor(CONTENT, (COUNT + 1,)))
    assert client.refusal("Predict", request) == ("INVALID_ARGUMENT", "tensor parsing error: x")
