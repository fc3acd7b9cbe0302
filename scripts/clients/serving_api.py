"""Asks with the stubs of tensorflow-serving-api, loaded without running the tensorflow package."""

import importlib.util
import sys
import types

package = types.ModuleType("tensorflow")
package.__path__ = list(importlib.util.find_spec("tensorflow").submodule_search_locations)
sys.modules["tensorflow"] = package

import grpc  # noqa: E402
from tensorflow.core.framework import types_pb2  # noqa: E402
from tensorflow_serving.apis import (  # noqa: E402
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

channel = grpc.insecure_channel(f"127.0.0.1:{sys.argv[2]}")
stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
service = model_service_pb2_grpc.ModelServiceStub(channel)


def example(request):
    request.input.example_list.examples.add().features.feature["x"].float_list.value.append(2.0)
    return request


request = predict_pb2.PredictRequest(output_filter=["y"])
request.model_spec.name = "affine"
request.inputs["x"].dtype = types_pb2.DT_FLOAT
request.inputs["x"].float_val.append(2.0)
for size in (1, 1):
    request.inputs["x"].tensor_shape.dim.add(size=size)
answer = stub.Predict(request, 10)
assert list(answer.outputs["y"].float_val) == [4.0], answer
assert (answer.model_spec.version.value, answer.model_spec.signature_name) == (3, "serving_default"), answer

request = example(classification_pb2.ClassificationRequest())
request.model_spec.name, request.model_spec.signature_name = "affine", "classify"
assert stub.Classify(request, 10).result.classifications[0].classes[0].score == 4.0

request = example(regression_pb2.RegressionRequest())
request.model_spec.name, request.model_spec.signature_name = "affine", "regress"
assert stub.Regress(request, 10).result.regressions[0].value == 4.0

request = example(inference_pb2.MultiInferenceRequest())
for verb in ("classify", "regress"):
    task = request.tasks.add(method_name=f"tensorflow/serving/{verb}")
    task.model_spec.name, task.model_spec.signature_name = "affine", verb
results = stub.MultiInference(request, 10).results
assert results[0].classification_result.classifications[0].classes[0].label == "label", results
assert results[1].regression_result.regressions[0].value == 4.0, results

request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
request.model_spec.name = "affine"
signatures = get_model_metadata_pb2.SignatureDefMap()
assert stub.GetModelMetadata(request, 10).metadata["signature_def"].Unpack(signatures)
assert signatures.signature_def["serving_default"].inputs["x"].name == "x:0", signatures

request = get_model_status_pb2.GetModelStatusRequest()
request.model_spec.name = "affine"
states = service.GetModelStatus(request, 10).model_version_status
assert [(one.version, one.state) for one in states] == [(3, 30)], states

request = model_management_pb2.ReloadConfigRequest()
request.config.model_config_list.config.add(name="affine", base_path=sys.argv[3], model_platform="tensorflow")
assert service.HandleReloadConfigRequest(request, 10).status.error_code == 0

request = predict_pb2.PredictRequest()
request.model_spec.name = "absent"
refused = stub.Predict.future(request, 10)
assert isinstance(refused.exception(), grpc.RpcError)
assert refused.details() == "Servable not found for request: Latest(absent)", refused.details()
