"""Asking over gRPC: tensors there and back, and a server that answers what a test wants."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
from model_server_stand_in import StandIn, by_form

from packager.contract import Sample
from packager.errors import RequestError, WrongAnswerError
from packager.protocol import message, methods
from packager.protocol.services import PREDICTION
from packager.smoketest import grpc_model as grpc_module
from packager.smoketest.grpc_model import GrpcModel, can_carry, grpc_model
from packager.smoketest.probing import probe
from packager.smoketest.rest import ConnectionLostError, RestModel
from packager.smoketest.tensors import from_message, to_message

Answer = Callable[[Any, grpc.ServicerContext], Any]


class Service:
    """A prediction service; ``answer`` is what it does with the next request."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: Answer = lambda request, context: message("PredictResponse")()
        self._server = grpc.server(ThreadPoolExecutor(2))
        predict = dict(methods(PREDICTION))["Predict"]
        handler = grpc.unary_unary_rpc_method_handler(
            self._predict, predict.request.FromString, predict.response.SerializeToString
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(PREDICTION, {"Predict": handler}),)
        )
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def _predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.asked.append(request)
        return self.answer(request, context)

    def stop(self) -> None:
        self._server.stop(None).wait()


@pytest.fixture
def service() -> Iterator[Service]:
    running = Service()
    yield running
    running.stop()


@pytest.fixture
def asked(service: Service) -> Iterator[GrpcModel]:
    with grpc_model(service.address, model="m", version=3, timeout=5) as model:
        yield model


def answers(**outputs: np.ndarray) -> Answer:
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        response = message("PredictResponse")()
        for name, array in outputs.items():
            response.outputs[name] = to_message(array)
        return response

    return answer


def aborts(code: grpc.StatusCode, text: str) -> Answer:
    return lambda request, context: context.abort(code, text)


NUMBERS = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")


@pytest.mark.parametrize("dtype", [*NUMBERS, "uint64", "bool"])
def test_numbers_go_there_and_back(dtype: str):
    array = np.array([[0, 1, 2], [3, 100, 0]], dtype=dtype)
    back = from_message(to_message(array))
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, array)


def test_text_goes_there_and_back_as_bytes():
    back = from_message(to_message(np.array([["a", "\N{GREEK SMALL LETTER MU}"], ["", "d"]])))
    assert back.tolist() == [[b"a", b"\xce\xbc"], [b"", b"d"]]
    assert from_message(to_message(np.array(b"\xff\x00x", dtype=object))).tolist() == b"\xff\x00x"


@pytest.mark.parametrize(
    ("number", "field", "values", "expected"),
    [
        (1, "float_val", [1.5], [[1.5, 1.5], [1.5, 1.5]]),
        (1, "float_val", [1.5, 2.5], [[1.5, 2.5], [2.5, 2.5]]),
        (9, "int64_val", [2**40] * 4, [[2**40] * 2] * 2),
        (6, "int_val", [-1] * 4, [[-1, -1], [-1, -1]]),
        (19, "half_val", [0x3C00] * 4, [[1.0, 1.0], [1.0, 1.0]]),
        (10, "bool_val", [True], [[True, True], [True, True]]),
        (7, "string_val", [b"x"], [[b"x", b"x"], [b"x", b"x"]]),
    ],
)
def test_tensors_in_typed_fields_are_read(number, field, values, expected):
    tensor = message("TensorProto")(dtype=number)
    for _ in range(2):
        tensor.tensor_shape.dim.add(size=2)
    getattr(tensor, field).extend(values)
    assert from_message(tensor.SerializeToString()).tolist() == expected


def test_a_tensor_of_a_type_that_models_do_not_have_is_refused():
    with pytest.raises(RequestError, match="type 21"):
        from_message(message("TensorProto")(dtype=21).SerializeToString())


def test_a_request_names_model_version_and_signature(service: Service, asked: GrpcModel, sample: Sample):
    service.answer = answers(**sample.outputs)
    outputs = asked.predict(asked.request(sample))
    np.testing.assert_array_equal(outputs["y"], sample.outputs["y"])
    (request,) = service.asked
    assert (request.model_spec.name, request.model_spec.version.value) == ("m", 3)
    assert request.model_spec.signature_name == "serving_default"
    np.testing.assert_array_equal(from_message(request.inputs["x"]), sample.inputs["x"])


def test_samples_are_asked_over_rest_and_grpc(
    stand_in: StandIn, service: Service, asked: GrpcModel, sample: Sample
):
    rows = [[0.25, 0.75], [0.5, 0.5]]
    stand_in.answers = [by_form(rows, rows)]
    service.answer = answers(**sample.outputs)
    rest = RestModel(stand_in.url, model="m", version=1, timeout=5)
    probes = probe(rest, (sample,), tolerance=0, grpc=asked)
    assert [p.form for p in probes] == ["row", "columnar", "grpc"]
    assert len({p.predictions for p in probes}) == 1


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        ({"y": [[0.25, 0.75], [0.5, 0.6]]}, r"over gRPC, batch 2: output 'y' is wrong at \[1, 1\]"),
        ({"z": [[0.25, 0.75], [0.5, 0.5]]}, "answers without output 'y'"),
    ],
)
def test_a_wrong_answer_over_grpc_is_told(
    stand_in: StandIn, service: Service, asked: GrpcModel, sample: Sample, outputs, told
):
    rows = [[0.25, 0.75], [0.5, 0.5]]
    stand_in.answers = [by_form(rows, rows)]
    service.answer = answers(**{name: np.array(value, np.float32) for name, value in outputs.items()})
    rest = RestModel(stand_in.url, model="m", version=1, timeout=5)
    with pytest.raises(WrongAnswerError, match=told):
        probe(rest, (sample,), tolerance=1e-5, grpc=asked)


def test_another_type_is_a_wrong_answer(stand_in: StandIn, service: Service, asked: GrpcModel):
    """Where REST shows no difference: 1.0 and 1.0."""
    half = Sample(
        signature="s", inputs={"x": np.ones((1, 1), np.float16)}, outputs={"y": np.ones((1, 1), np.float16)}
    )
    service.answer = answers(y=np.ones((1, 1), np.float32))
    rest = RestModel(stand_in.url, model="m", version=1, timeout=5)
    with pytest.raises(WrongAnswerError, match="output 'y' is float32, the source model's is float16"):
        probe(rest, (half,), tolerance=1e-5, grpc=asked)


def test_a_refusal_tells_the_code_and_the_server_s_own_text(
    service: Service, asked: GrpcModel, sample: Sample
):
    service.answer = aborts(grpc.StatusCode.INTERNAL, "Op type not registered 'X'")
    with pytest.raises(RequestError, match="gRPC INTERNAL: Op type not registered 'X'") as caught:
        asked.predict(asked.request(sample))
    assert "--base" in str(caught.value.hint)


def test_a_call_ends_in_time(service: Service, sample: Sample):
    def stall(request: Any, context: grpc.ServicerContext) -> Any:
        time.sleep(1)
        return message("PredictResponse")()

    service.answer = stall
    with grpc_model(service.address, model="m", version=3, timeout=0.2) as model:
        began = time.monotonic()
        with pytest.raises(RequestError, match=r"no answer over gRPC within 0\.2 s"):
            model.predict(model.request(sample))
        assert time.monotonic() - began < 0.9


def test_a_server_that_is_not_there_is_told_in_time(sample: Sample, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grpc_module, "READY_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        pytest.raises(RequestError, match=r"no gRPC server does within 0\.5 s") as caught,
        grpc_model(f"127.0.0.1:{port}", model="m", version=3, timeout=5),
    ):
        raise AssertionError("a channel to nowhere was given out")
    assert "--no-grpc" in str(caught.value.hint)


def test_a_lost_connection_is_told_as_that(service: Service, asked: GrpcModel, sample: Sample):
    service.answer = aborts(grpc.StatusCode.UNAVAILABLE, "going away")
    with pytest.raises(ConnectionLostError, match="going away"):
        asked.predict(asked.request(sample))


def test_nonsense_is_refused_only_by_the_codes_that_blame_the_client(
    service: Service, asked: GrpcModel, sample: Sample
):
    request = asked.request(sample)
    service.answer = aborts(grpc.StatusCode.INVALID_ARGUMENT, "no")
    assert asked.refuses(request)
    service.answer = answers()
    assert not asked.refuses(request)
    service.answer = aborts(grpc.StatusCode.INTERNAL, "oh")
    with pytest.raises(RequestError, match="gRPC INTERNAL: oh"):
        asked.refuses(request)


def test_what_no_tensor_message_holds_is_not_asked():
    odd = Sample(signature="s", inputs={"x": np.ones(1, np.complex64)}, outputs={"y": np.ones(1)})
    assert not can_carry(odd)
