"""The messages are those of TensorFlow Serving: as bytes on the wire, and beside other copies of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from packager.protocol import SERVICES, message, methods
from packager.protocol.services import HEALTH, PREDICTION
from packager.protocol.tables import MESSAGES


def test_every_message_of_the_tables_and_the_services_can_be_made() -> None:
    for name in MESSAGES:
        assert message(name).FromString(message(name)().SerializeToString()) == message(name)()
    for service in SERVICES:
        assert dict(methods(service)).keys() == SERVICES[service].keys()


def test_a_predict_request_has_the_bytes_that_every_other_client_sends() -> None:
    request = message("PredictRequest")()
    request.model_spec.name = "m"
    request.model_spec.version.value = 7
    request.model_spec.signature_name = "s"
    tensor = message("TensorProto")(dtype=1, float_val=[1.0])
    tensor.tensor_shape.dim.add(size=1)
    request.inputs["x"] = tensor.SerializeToString()
    request.output_filter.append("y")
    spec = b"\x0a\x01m\x12\x02\x08\x07\x1a\x01s"
    shape = b"\x12\x04\x12\x02\x08\x01"
    serialised = b"\x08\x01" + shape + b"\x2a\x04\x00\x00\x80\x3f"
    entry = b"\x0a\x01x\x12" + bytes([len(serialised)]) + serialised
    wire = b"\x0a" + bytes([len(spec)]) + spec + b"\x12" + bytes([len(entry)]) + entry + b"\x1a\x01y"
    assert request.SerializeToString(deterministic=True) == wire


def test_a_version_and_a_label_exclude_each_other() -> None:
    spec = message("ModelSpec")(version_label="stable")
    spec.version.value = 3
    assert spec.WhichOneof("choice") == "version"
    assert not spec.version_label


def test_a_state_has_its_own_numbers() -> None:
    assert message("ModelVersionStatus").State.Value("AVAILABLE") == 30


@pytest.mark.parametrize(("service", "path"), [(PREDICTION, "/tensorflow.serving.PredictionService/Predict")])
def test_a_method_has_the_path_that_clients_call(service: str, path: str) -> None:
    assert dict(methods(service))["Predict"].path == path
    assert [method.path for _, method in methods(HEALTH)] == ["/grpc.health.v1.Health/Check"]


def test_nothing_heavier_than_protobuf_is_imported() -> None:
    heavy = "{'tensorflow', 'grpc', 'numpy', 'asyncio'} & set(sys.modules)"
    program = (
        f"import sys; from packager.protocol import message; message('PredictRequest')(); print({heavy})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
