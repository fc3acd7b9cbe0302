"""Asks with tensorflow-serving-client-grpc, of 2020."""

import sys

import grpc
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

channel = grpc.insecure_channel(f"127.0.0.1:{sys.argv[2]}")
stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
request = predict_pb2.PredictRequest()
request.model_spec.name = "affine"
request.inputs["x"].dtype = types_pb2.DT_FLOAT
request.inputs["x"].float_val.append(2.0)
for size in (1, 1):
    request.inputs["x"].tensor_shape.dim.add(size=size)
answer = stub.Predict(request, 10)
assert list(answer.outputs["y"].float_val) == [4.0], answer

request = regression_pb2.RegressionRequest()
request.model_spec.name, request.model_spec.signature_name = "affine", "regress"
request.input.example_list.examples.add().features.feature["x"].float_list.value.append(2.0)
assert stub.Regress(request, 10).result.regressions[0].value == 4.0

request = get_model_status_pb2.GetModelStatusRequest()
request.model_spec.name = "affine"
states = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request, 10).model_version_status
assert [(one.version, one.state) for one in states] == [(3, 30)], states
