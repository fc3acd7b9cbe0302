"""The gRPC API as a client with nothing but grpcio and the protocol's bytes has it."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from embedded_server import PATIENCE, EmbeddedServer, Served, free_port, serving
from grpc_client import Client, floats, predict_request, spec

from packager.protocol import message, methods
from packager.protocol.services import PREDICTION

pytestmark = pytest.mark.tensorflow

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"


@pytest.fixture(scope="module")
def client(asked: Served) -> Iterator[Client]:
    with grpc.insecure_channel(f"127.0.0.1:{asked.grpc_port}") as channel:
        yield Client(channel)


def examples(*values: float) -> Any:
    """Make examples with a feature ``x`` each, by hand: Example > Features > entry > Feature > FloatList."""

    def block(field: int, content: bytes) -> bytes:
        return bytes((field << 3 | 2, len(content))) + content

    made = message("Input")()
    for value in values:
        feature = block(2, block(1, struct.pack("<f", value)))
        made.example_list.examples.append(block(1, block(1, block(1, b"x") + block(2, feature))))
    return made


def test_a_prediction_has_typed_fields_and_tells_who_made_it(client: Client) -> None:
    response = client.call("Predict", predict_request(spec("affine"), x=floats(1, 2)))
    tensor = message("TensorProto").FromString(response.outputs["y"])
    assert list(tensor.float_val) == [3.5, 4.0]
    assert [dim.size for dim in tensor.tensor_shape.dim] == [2, 1]
    assert not tensor.tensor_content
    assert response.model_spec == spec("affine", "serving_default", version=3)


@pytest.mark.parametrize(
    ("model", "expected"), [(spec("affine", version=2), 2.5), (spec("affine", label="stable"), 1.5)]
)
def test_a_version_is_found_by_number_and_by_label(client: Client, model: Any, expected: float) -> None:
    response = client.call("Predict", predict_request(model, x=floats(1)))
    assert list(message("TensorProto").FromString(response.outputs["y"]).float_val) == [expected]


def test_only_wanted_outputs_come_back(client: Client) -> None:
    request = predict_request(spec("shapes", "unequal"), wanted=("b",), x=floats(1))
    assert list(client.call("Predict", request).outputs) == ["b"]


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        (message("PredictRequest")(), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (predict_request(spec("")), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (predict_request(spec("none")), "NOT_FOUND", "Servable not found for request: Latest(none)"),
        (
            predict_request(spec("affine", version=9)),
            "NOT_FOUND",
            "Servable not found for request: Specific(affine, 9)",
        ),
        (
            predict_request(spec("affine", label="no")),
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: no",
        ),
        (
            predict_request(spec("affine", "no")),
            "FAILED_PRECONDITION",
            'Serving signature key "no" not found.',
        ),
        (
            predict_request(spec("affine")),
            "INVALID_ARGUMENT",
            "input size does not match signature: 0!=1 len({}) != len({x}). "
            "Sent extra: {}. Missing but required: {x}.",
        ),
        (
            predict_request(spec("affine"), z=floats(1)),
            "INVALID_ARGUMENT",
            "Signature input alias: x(feed name: x:0) not found in request and no default value provided. "
            "Inputs expected to be in the request {z}, or default input alias set: ",
        ),
        (
            predict_request(spec("affine"), x=b"\xff"),
            "INVALID_ARGUMENT",
            "tensor parsing error: x",
        ),
        (
            predict_request(spec("affine"), x=floats(1, shape=(2**62, 4))),
            "INVALID_ARGUMENT",
            "tensor parsing error: x",
        ),
        (
            predict_request(spec("affine"), wanted=("q",), x=floats(1)),
            "INVALID_ARGUMENT",
            "output tensor alias not found in signature: q Outputs expected to be in the set {y}.",
        ),
        (
            predict_request(spec("affine"), wanted=("y", "y"), x=floats(1)),
            "INVALID_ARGUMENT",
            "duplicate output tensor alias: y",
        ),
    ],
)
def test_what_cannot_be_predicted_is_refused_in_the_official_words(
    client: Client, request_: Any, code: str, words: str
) -> None:
    assert client.refusal("Predict", request_) == (code, words)


def test_a_long_error_is_cut(client: Client) -> None:
    _, words = client.refusal("Predict", predict_request(spec("x" * 2000)))
    assert len(words) == 1024 + len("...TRUNCATED")
    assert words.endswith("x...TRUNCATED")


def test_examples_are_classified(client: Client) -> None:
    request = message("ClassificationRequest")(model_spec=spec("affine", "classify"), input=examples(1, 2))
    response = client.call("Classify", request)
    found = [(one.label, one.score) for each in response.result.classifications for one in each.classes]
    assert found == [("label", 3.5), ("label", 4.0)]
    assert response.model_spec == spec("affine", "classify", version=3)


def test_examples_share_a_context(client: Client) -> None:
    [context] = examples(4).example_list.examples
    shared = message("Input")()
    shared.example_list_with_context.context = context
    shared.example_list_with_context.examples.extend([b"", b""])
    request = message("RegressionRequest")(model_spec=spec("affine", "regress"), input=shared)
    response = client.call("Regress", request)
    assert [one.value for one in response.result.regressions] == [5.0, 5.0]


@pytest.mark.parametrize(
    ("model", "given", "words"),
    [
        (spec("affine", "classify"), message("Input")(), "Input is empty."),
        (spec("affine", "no"), examples(1), "No signature was found with the name: no"),
    ],
)
def test_what_cannot_be_classified_is_refused(client: Client, model: Any, given: Any, words: str) -> None:
    request = message("ClassificationRequest")(model_spec=model, input=given)
    assert client.refusal("Classify", request) == ("INVALID_ARGUMENT", words)


def multi(*tasks: tuple[Any, str]) -> Any:
    request = message("MultiInferenceRequest")(input=examples(1))
    for model, method in tasks:
        request.tasks.add(model_spec=model, method_name=method)
    return request


def test_several_signatures_answer_at_once(client: Client) -> None:
    request = multi((spec("affine", "classify"), CLASSIFY), (spec("affine", "regress"), REGRESS))
    classified, regressed = client.call("MultiInference", request).results
    assert classified.classification_result.classifications[0].classes[0].score == 3.5
    assert regressed.regression_result.regressions[0].value == 3.5
    assert regressed.model_spec == spec("affine", "regress", version=3)


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        (multi(), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (
            multi((spec("affine", "classify"), CLASSIFY), (spec("matrix"), REGRESS)),
            "INVALID_ARGUMENT",
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (
            multi((spec("affine", "classify"), CLASSIFY), (spec("affine", "classify"), CLASSIFY)),
            "INVALID_ARGUMENT",
            "Duplicate evaluation of signature: classify",
        ),
        (
            multi((spec("affine", "no"), CLASSIFY)),
            "INVALID_ARGUMENT",
            "Requested signature not found in model graph: no",
        ),
        (
            multi((spec("affine"), "tensorflow/serving/predict")),
            "UNIMPLEMENTED",
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
    ],
)
def test_tasks_that_do_not_go_together_are_refused(
    client: Client, request_: Any, code: str, words: str
) -> None:
    assert client.refusal("MultiInference", request_) == (code, words)


def test_metadata_hold_the_signatures(client: Client) -> None:
    request = message("GetModelMetadataRequest")(model_spec=spec("affine"), metadata_field=["signature_def"])
    response = client.call("GetModelMetadata", request)
    assert response.model_spec == spec("affine", version=3)
    packed = response.metadata["signature_def"]
    assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    signatures = message("SignatureDefMap").FromString(packed.value).signature_def
    assert set(signatures) == {"serving_default", "classify", "scores_only", "regress"}
    assert signatures["serving_default"].inputs["x"].name == "x:0"
    assert signatures["regress"].method_name == REGRESS


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ((), "GetModelMetadataRequest must specify at least one metadata_field"),
        (("graph",), "Metadata field %s is not supportedgraph"),
    ],
)
def test_other_metadata_are_refused(client: Client, fields: tuple[str, ...], words: str) -> None:
    request = message("GetModelMetadataRequest")(model_spec=spec("affine"), metadata_field=fields)
    assert client.refusal("GetModelMetadata", request) == ("INVALID_ARGUMENT", words)


def test_a_status_lists_versions_newest_first(client: Client) -> None:
    response = client.call("GetModelStatus", message("GetModelStatusRequest")(model_spec=spec("affine")))
    states = [(one.version, one.state, one.status.error_code) for one in response.model_version_status]
    assert states == [(3, 30, 0), (2, 30, 0), (1, 30, 0)]
    unknown = message("GetModelStatusRequest")(model_spec=spec("foo"))
    assert client.refusal("GetModelStatus", unknown) == (
        "NOT_FOUND",
        "Could not find any versions of model foo",
    )


def test_health_is_off_unless_it_is_asked_for(client: Client) -> None:
    assert client.refusal("Check", message("HealthCheckRequest")())[0] == "UNIMPLEMENTED"


def reload_request(*models: tuple[str, Path]) -> Any:
    request = message("ReloadConfigRequest")()
    request.config.model_config_list.SetInParent()
    for name, path in models:
        request.config.model_config_list.config.add(
            name=name, base_path=str(path), model_platform="tensorflow"
        )
    return request


def test_a_socket_serves_health_and_takes_other_models(models: Path, tmp_path: Path) -> None:
    socket = tmp_path / "grpc.sock"
    with serving(
        model_name="affine",
        model_base_path=models / "affine",
        grpc_socket_path=socket,
        enable_grpc_healthcheck_service="true",
        enable_serialization_as_tensor_content="true",
    ) as server:
        server.wait_until_ready()
        assert f"Running gRPC ModelServer at UNIX socket {socket} ..." in server.log()
        with grpc.insecure_channel(f"unix:{socket}") as channel:
            client = Client(channel)
            assert client.call("Check", message("HealthCheckRequest")()).status == 1
            assert client.refusal("Check", message("HealthCheckRequest")(service="x"))[0] == "NOT_FOUND"
            response = client.call("Predict", predict_request(spec("affine"), x=floats(1)))
            content = message("TensorProto").FromString(response.outputs["y"]).tensor_content
            assert struct.unpack("<f", content) == (3.5,)

            answer = client.call("HandleReloadConfigRequest", reload_request(("m", models / "matrix")))
            assert answer.status.error_code == 0
            assert client.refusal("Predict", predict_request(spec("affine"), x=floats(1)))[0] == "NOT_FOUND"
            client.call("Predict", predict_request(spec("m"), x=floats(1, 2, shape=(1, 2))))
            code, words = client.refusal("HandleReloadConfigRequest", message("ReloadConfigRequest")())
            assert (code, words.split(".")[0]) == (
                "INVALID_ARGUMENT",
                "ServerModelConfig type not supported by HandleReloadConfigRequest",
            )
        assert server.end() == 0


def test_a_port_in_use_ends_the_server(models: Path, server: EmbeddedServer) -> None:
    with serving(model_base_path=models / "affine", port=server.grpc_port) as second:
        assert second.exit_code() == 255
        assert "INVALID_ARGUMENT: Failed to BuildAndStart gRPC server" in second.log()


def test_requests_under_way_are_answered_before_the_end(models: Path) -> None:
    with serving(model_name="counting", model_base_path=models / "counting") as server:
        server.wait_until_ready()
        count = message("TensorProto")(dtype=3, int_val=[200_000])
        count.tensor_shape.dim.add(size=1)
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            method = dict(methods(PREDICTION))["Predict"]
            request = predict_request(spec("counting"), n=count.SerializeToString())
            answer = channel.unary_unary(method.path, **method.codecs).future(request, timeout=PATIENCE)
            time.sleep(0.3)
            assert server.end() == 0
            tensor = message("TensorProto").FromString(answer.result().outputs["counted"])
            assert list(tensor.int_val) == [200_000]


def test_encrypted_clients_only_where_certificates_are_given(
    models: Path, tmp_path: Path, certificate: tuple[str, str]
) -> None:
    key, certified = certificate
    config = tmp_path / "ssl.conf"
    lines = (f"{name}: {text!r}" for name, text in (("server_key", key), ("server_cert", certified)))
    config.write_text("\n".join(lines))
    flags = {"model_name": "affine", "model_base_path": models / "affine", "port": free_port()}
    with serving(**flags, ssl_config_file=config) as server:
        server.wait_until_ready()
        credentials = grpc.ssl_channel_credentials(certified.encode())
        with grpc.secure_channel(f"localhost:{server.grpc_port}", credentials) as channel:
            response = Client(channel).call("Predict", predict_request(spec("affine"), x=floats(1)))
            assert list(message("TensorProto").FromString(response.outputs["y"]).float_val) == [3.5]
