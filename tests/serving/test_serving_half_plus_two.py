"""What TensorFlow Serving's own tests ask its model half_plus_two, over REST and gRPC."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from embedded_server import Served
from grpc_client import Client, spec

from packager.protocol import message

pytestmark = pytest.mark.tensorflow

OF_TF1, OF_TF2 = "half_plus_two", "half_plus_two_tf2"
BOTH = pytest.mark.parametrize("model", [OF_TF1, OF_TF2])
CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


@pytest.fixture(scope="module")
def client(asked: Served) -> Iterator[Client]:
    with grpc.insecure_channel(f"127.0.0.1:{asked.grpc_port}") as channel:
        yield Client(channel)


def example(value: float) -> Any:
    made = message("Example")()
    made.features.feature["x"].float_list.value.append(value)
    given = message("Input")()
    given.example_list.examples.append(made.SerializeToString())
    return given


def scalar(value: float, *shape: int) -> bytes:
    made = message("TensorProto")(dtype=1, tensor_content=struct.pack("<f", value))
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made.SerializeToString()  # type: ignore[no-any-return]


@BOTH
@pytest.mark.parametrize("wanted", [(), ("y",)])
def test_a_number_is_predicted(client: Client, model: str, wanted: tuple[str, ...]) -> None:
    request = message("PredictRequest")(
        model_spec=spec(model, "serving_default"), inputs={"x": scalar(2.0, 1)}, output_filter=wanted
    )
    response = client.call("Predict", request)
    assert list(message("TensorProto").FromString(response.outputs["y"]).float_val) == [3.0]
    assert response.model_spec == spec(model, "serving_default", version=123)


@pytest.mark.parametrize(("signature", "expected"), [("", 1.0), ("custom", 2.0)])
def test_a_scalar_of_any_signature_is_predicted(client: Client, signature: str, expected: float) -> None:
    request = message("PredictRequest")(
        model_spec=spec("constants", signature), inputs={"x": scalar(2.0, 1)}, output_filter=["y"]
    )
    tensor = message("TensorProto").FromString(client.call("Predict", request).outputs["y"])
    assert list(tensor.float_val) == [expected]
    assert tensor.HasField("tensor_shape")


@BOTH
def test_an_example_is_classified(client: Client, model: str) -> None:
    request = message("ClassificationRequest")(model_spec=spec(model, "classify_x_to_y"), input=example(2))
    response = client.call("Classify", request)
    ((found,),) = (each.classes for each in response.result.classifications)
    assert (found.label, found.score) == ("", 3.0)
    assert response.model_spec == spec(model, "classify_x_to_y", version=123)


@BOTH
def test_an_example_has_a_value(client: Client, model: str) -> None:
    request = message("RegressionRequest")(model_spec=spec(model, "regress_x_to_y"), input=example(2))
    response = client.call("Regress", request)
    assert [found.value for found in response.result.regressions] == [3.0]
    assert response.model_spec == spec(model, "regress_x_to_y", version=123)


def test_several_signatures_answer_at_once(client: Client) -> None:
    asked = (("regress_x_to_y", REGRESS), ("classify_x_to_y", CLASSIFY), ("regress_x_to_y2", REGRESS))
    request = message("MultiInferenceRequest")(input=example(2))
    for signature, method in asked:
        request.tasks.add(model_spec=spec(OF_TF1, signature), method_name=method)
    value, classes, other = client.call("MultiInference", request).results
    assert value.regression_result.regressions[0].value == 3.0
    assert classes.classification_result.classifications[0].classes[0].score == 3.0
    assert other.regression_result.regressions[0].value == 4.0
    for result, (signature, _) in zip((value, classes, other), asked, strict=True):
        assert result.model_spec == spec(OF_TF1, signature, version=123)


def test_signatures_of_several_inputs_do_not_go_together(client: Client) -> None:
    request = message("MultiInferenceRequest")(input=example(2))
    for signature in ("regress_x_to_y", "regress_x2_to_y3"):
        request.tasks.add(model_spec=spec(OF_TF1, signature), method_name=REGRESS)
    assert client.refusal("MultiInference", request) == (
        "INVALID_ARGUMENT",
        "Input tensor must be the same for all Signatures.",
    )


def test_the_only_version_is_available(client: Client) -> None:
    request = message("GetModelStatusRequest")(model_spec=spec(OF_TF1))
    (status,) = client.call("GetModelStatus", request).model_version_status
    assert (status.version, status.state, status.status.error_code) == (123, 30, 0)


def test_metadata_are_found_in_one_field(client: Client) -> None:
    request = message("GetModelMetadataRequest")(model_spec=spec(OF_TF1), metadata_field=["signature_def"])
    response = client.call("GetModelMetadata", request)
    assert response.model_spec == spec(OF_TF1, version=123)
    assert list(response.metadata) == ["signature_def"]


@pytest.mark.parametrize(
    ("verb", "body", "answer"),
    [
        ("predict", {"instances": [2.0, 3.0, 4.0]}, {"predictions": [3.0, 3.5, 4.0]}),
        ("predict", {"inputs": [2.0, 3.0, 4.0]}, {"outputs": [3.0, 3.5, 4.0]}),
        ("predict", {"instances": [[1.0, 2.0], [3.0, 4.0]]}, {"predictions": [[2.5, 3.0], [3.5, 4.0]]}),
        ("regress", {"signature_name": "regress_x_to_y", "examples": [{"x": 80.0}]}, {"results": [42]}),
        (
            "classify",
            {"signature_name": "classify_x_to_y", "examples": [{"x": 20.0}]},
            {"results": [[["", 12]]]},
        ),
        (
            "classify",
            {"signature_name": "classify_x_to_y", "context": {"x": 2.0}, "examples": [{}, {"x2": 1.0}]},
            {"results": [[["", 3]], [["", 3]]]},
        ),
    ],
)
@BOTH
def test_rest_answers_alike(asked: Served, model: str, verb: str, body: Any, answer: Any) -> None:
    given = asked.ask(f"/v1/models/{model}/versions/123:{verb}", json.dumps(body))
    assert (given.status, json.loads(given.body)) == (200, answer)


def test_rest_tells_all_of_every_signature(asked: Served) -> None:
    def info(name: str, dtype: str, *sizes: int) -> Any:
        dims = [{"size": str(size), "name": ""} for size in sizes]
        return {
            "dtype": dtype,
            "tensor_shape": {"dim": dims, "unknown_rank": not sizes},
            "name": f"{name}:0",
        }

    def told(given: Any, returned: Any, method: str) -> Any:
        return {"inputs": given, "outputs": returned, "method_name": method, "defaults": {}}

    examples = {"inputs": info("tf_example", "DT_STRING")}
    x, x2 = (info(name, "DT_FLOAT", -1, 1) for name in ("x", "x2"))
    y, y2, y3 = (info(name, "DT_FLOAT", -1, 1) for name in ("y", "y2", "y3"))
    body = asked.ask(f"/v1/models/{OF_TF1}/metadata").body
    assert b'"dim": [],\n      "unknown_rank": true\n' in body  # in the order of the fields' numbers
    answer = json.loads(body)
    assert answer["model_spec"] == {"name": OF_TF1, "signature_name": "", "version": "123"}
    assert answer["metadata"] == {
        "signature_def": {
            "signature_def": {
                "serving_default": told({"x": x}, {"y": y}, "tensorflow/serving/predict"),
                "classify_x_to_y": told(examples, {"scores": y}, CLASSIFY),
                "regress_x_to_y": told(examples, {"outputs": y}, REGRESS),
                "regress_x_to_y2": told(examples, {"outputs": y2}, REGRESS),
                "regress_x2_to_y3": told({"inputs": x2}, {"outputs": y3}, REGRESS),
            }
        }
    }
