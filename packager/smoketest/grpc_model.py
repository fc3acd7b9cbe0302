"""One model version behind TensorFlow Serving's gRPC interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc

from packager.contract import Sample
from packager.errors import RequestError, WrongAnswerError
from packager.protocol import methods
from packager.protocol.services import PREDICTION
from packager.smoketest.diagnosis import OTHER_MODEL, refused_over_grpc
from packager.smoketest.rest import ConnectionLostError
from packager.smoketest.tensors import carries, from_message, to_message

READY_SECONDS = 10.0
"""Seconds within which the gRPC port of a server whose REST answers has to answer as well."""

_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),
)
"""Messages as large as they come, and no proxy of the environment for a server on this machine."""

_REFUSALS = ("INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION")


class GrpcModel:
    """Asks one version of a model; every call has a deadline."""

    def __init__(self, channel: grpc.Channel, *, model: str, version: int, timeout: float) -> None:
        self._model = model
        self._version = version
        self._timeout = timeout
        predict = dict(methods(PREDICTION))["Predict"]
        self._request = predict.request
        self._predict = channel.unary_unary(predict.path, **predict.codecs)

    def request(self, sample: Sample) -> Any:
        """Return the PredictRequest that sends the inputs of ``sample``."""
        request = self._request()
        request.model_spec.name = self._model
        request.model_spec.version.value = self._version
        request.model_spec.signature_name = sample.signature
        for name, array in sample.inputs.items():
            request.inputs[name] = to_message(array)
        return request

    def predict(self, request: Any) -> Mapping[str, Any]:
        """Return the answered tensors by output, or raise RequestError."""
        try:
            answer = self._predict(request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise self._described(error) from error
        return {name: from_message(serialised) for name, serialised in answer.outputs.items()}

    def send(self, request: Any) -> str | None:
        """Send ``request`` and return the name of the status that it fails with, ``None`` if it does not."""
        try:
            self._predict(request, timeout=self._timeout)
        except grpc.RpcError as error:
            return f"gRPC {error.code().name}"
        return None

    def refuses(self, request: Any) -> bool:
        """Whether the server answers ``request`` with an error that tells the client that it is at fault."""
        try:
            self._predict(request, timeout=self._timeout)
        except grpc.RpcError as error:
            if error.code().name not in _REFUSALS:
                raise self._described(error) from error
            return True
        return False

    def _described(self, error: grpc.RpcError) -> RequestError:
        code = error.code()
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return RequestError(
                f"no answer over gRPC within {self._timeout:g} s", hint="allow more time: --timeout 300"
            )
        if code is grpc.StatusCode.UNAVAILABLE:
            return ConnectionLostError(f"the gRPC connection was lost: {error.details()}")
        return refused_over_grpc(code.name, error.details() or "")


@contextmanager
def grpc_model(address: str, *, model: str, version: int, timeout: float) -> Iterator[GrpcModel]:
    """Open a channel to ``address`` (``127.0.0.1:8500``) and close it at the end.

    Raises RequestError where no gRPC server answers there within READY_SECONDS.
    """
    with grpc.insecure_channel(address, options=_OPTIONS) as channel:
        ready = grpc.channel_ready_future(channel)
        try:
            ready.result(timeout=READY_SECONDS)
        except grpc.FutureTimeoutError as error:
            ready.cancel()
            raise RequestError(
                f"REST answers, but no gRPC server does within {READY_SECONDS:g} s",
                hint="images that packager builds serve gRPC at 8500; to ask over REST only: --no-grpc",
            ) from error
        yield GrpcModel(channel, model=model, version=version, timeout=timeout)


def can_carry(sample: Sample) -> bool:
    """Whether gRPC can carry ``sample`` and its answer."""
    return all(carries(array) for array in (*sample.inputs.values(), *sample.outputs.values()))


def check_types(sample: Sample, outputs: Mapping[str, Any]) -> None:
    """Raise WrongAnswerError where outputs are missing, or have other types than were recorded."""
    for name, recorded in sample.outputs.items():
        if name not in outputs:
            raise WrongAnswerError(f"the server answers without output {name!r}", hint=OTHER_MODEL)
        answered = outputs[name]
        if answered.dtype != recorded.dtype and recorded.dtype.kind not in "SUO":
            raise WrongAnswerError(
                f"output {name!r} is {answered.dtype}, the source model's is {recorded.dtype}",
                hint=OTHER_MODEL,
            )
