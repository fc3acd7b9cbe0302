"""A client of the gRPC API with nothing but grpcio and the protocol's bytes, and what it sends."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from embedded_server import PATIENCE

from packager.protocol import message, methods
from packager.protocol.services import HEALTH, MODEL, PREDICTION


class Client:
    """Calls methods by their names on one channel."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._calls = {
            name: channel.unary_unary(method.path, **method.codecs)
            for service in (PREDICTION, MODEL, HEALTH)
            for name, method in methods(service)
        }

    def call(self, method: str, request: Any) -> Any:
        return self._calls[method](request, timeout=PATIENCE, wait_for_ready=True)

    def refusal(self, method: str, request: Any) -> tuple[str, str]:
        with pytest.raises(grpc.RpcError) as refused:
            self.call(method, request)
        return refused.value.code().name, refused.value.details()


def spec(name: str, signature: str = "", version: int | None = None, label: str = "") -> Any:
    made = message("ModelSpec")(name=name, signature_name=signature)
    if version is not None:
        made.version.value = version
    if label:
        made.version_label = label
    return made


def floats(*values: float, shape: tuple[int, ...] | None = None) -> bytes:
    tensor = message("TensorProto")(dtype=1, float_val=values)
    for size in shape or (len(values), 1):
        tensor.tensor_shape.dim.add(size=size)
    return tensor.SerializeToString()


def predict_request(model: Any, /, *, wanted: tuple[str, ...] = (), **inputs: bytes) -> Any:
    return message("PredictRequest")(model_spec=model, inputs=inputs, output_filter=wanted)
