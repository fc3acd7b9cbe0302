"""Tensors over gRPC: every type, and what the fields of a TensorProto may hold."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from embedded_server import Served
from grpc_client import Client, predict_request, spec

from packager.protocol import message

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def client(asked: Served) -> Iterator[Client]:
    with grpc.insecure_channel(f"127.0.0.1:{asked.grpc_port}") as channel:
        yield Client(channel)


@pytest.mark.parametrize(
    ("model", "dtype", "field", "values"),
    [
        ("float64", 2, "double_val", [1e300, -2.5]),
        ("int32", 3, "int_val", [-1, 2**31 - 1]),
        ("uint8", 4, "int_val", [0, 255]),
        ("int16", 5, "int_val", [-1, 5]),
        ("int8", 6, "int_val", [-128, 127]),
        ("string", 7, "string_val", [b"\xff\x00", b""]),
        ("complex64", 8, "scomplex_val", [1.0, -1.0, 2.0, -2.0]),
        ("int64", 9, "int64_val", [-(2**63), 2**63 - 1]),
        ("bool", 10, "bool_val", [True, False]),
        ("bfloat16", 14, "half_val", [0x3F80, 0xBF80]),
        ("uint16", 17, "int_val", [0, 65535]),
        ("float16", 19, "half_val", [0x3C00, 0xBC00]),
        ("uint32", 22, "uint32_val", [0, 2**32 - 1]),
        ("uint64", 23, "uint64_val", [0, 2**64 - 1]),
    ],
)
def test_tensors_of_every_type_come_back_as_they_were_sent(
    client: Client, model: str, dtype: int, field: str, values: list[Any]
) -> None:
    sent = message("TensorProto")(dtype=dtype, **{field: values})
    sent.tensor_shape.dim.add(size=2)
    request = predict_request(spec(f"echo_{model}"), x=sent.SerializeToString())
    response = client.call("Predict", request)
    assert message("TensorProto").FromString(response.outputs["x"]) == sent


@pytest.mark.parametrize(
    ("dtype", "name"), [(3, "int32"), (11, "qint8"), (20, "resource"), (21, "variant"), (24, "float8_e5m2")]
)
def test_a_wrong_type_is_refused_by_the_graph(client: Client, dtype: int, name: str) -> None:
    tensor = message("TensorProto")(dtype=dtype)
    tensor.tensor_shape.SetInParent()
    code, words = client.refusal("Predict", predict_request(spec("affine"), x=tensor.SerializeToString()))
    assert code == "INVALID_ARGUMENT"
    assert words.startswith(f"Expects arg[0] to be float but {name} is provided")


@pytest.mark.parametrize(
    ("fields", "sizes", "expected"),
    [
        ({"float_val": [2.0]}, (3,), [2.0, 2.0, 2.0]),
        ({"float_val": [2.0, 3.0]}, (4,), [2.0, 3.0, 3.0, 3.0]),
        ({"float_val": [2.0, 3.0, 4.0]}, (2,), [2.0, 3.0]),
        ({}, (2,), [0.0, 0.0]),
        ({"float_val": [2.0]}, (), [2.0]),
        ({"float_val": [2.0]}, (0,), []),
        ({"tensor_content": struct.pack("<2f", 1, 2)}, (2,), [1.0, 2.0]),
        ({"tensor_content": struct.pack("<2f", 1, 2)}, (3,), None),
        ({"tensor_content": struct.pack("<2f", 1, 2)}, (1,), None),
        ({"tensor_content": b"abc"}, (1,), None),
        ({"float_val": [2.0]}, (-1,), None),
    ],
)
def test_values_are_spread_and_cut_to_the_shape(
    client: Client, fields: dict[str, Any], sizes: tuple[int, ...], expected: list[float] | None
) -> None:
    tensor = message("TensorProto")(dtype=1, **fields)
    for size in sizes:
        tensor.tensor_shape.dim.add(size=size)
    request = predict_request(spec("echo_float32"), x=tensor.SerializeToString())
    if expected is None:
        assert client.refusal("Predict", request) == ("INVALID_ARGUMENT", "tensor parsing error: x")
        return
    answer = message("TensorProto").FromString(client.call("Predict", request).outputs["x"])
    assert list(answer.float_val) == expected
    assert [dim.size for dim in answer.tensor_shape.dim] == list(sizes)
