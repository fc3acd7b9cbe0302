"""Asks with min-tfs-client, of 2020."""

import sys

import numpy as np
from min_tfs_client.requests import TensorServingClient
from min_tfs_client.tensors import tensor_proto_to_ndarray

client = TensorServingClient(host="127.0.0.1", port=int(sys.argv[2]))
values = np.array([[2.0], [4.0]], np.float32)
answer = client.predict_request(model_name="affine", model_version=3, input_dict={"x": values})
assert tensor_proto_to_ndarray(answer.outputs["y"]).ravel().tolist() == [4.0, 5.0], answer
words = np.array(["a", "bc"])
answer = client.predict_request(model_name="echo_string", input_dict={"x": words})
assert tensor_proto_to_ndarray(answer.outputs["x"]).tolist() == ["a", "bc"], answer
