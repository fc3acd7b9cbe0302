"""Asks with ovmsclient, over REST and gRPC."""

import sys

import numpy as np
from ovmsclient import ModelNotFoundError, make_grpc_client, make_http_client

for make, port in ((make_http_client, sys.argv[1]), (make_grpc_client, sys.argv[2])):
    client = make(f"127.0.0.1:{port}")
    status = client.get_model_status("affine", model_version=3)
    assert status[3]["state"] == "AVAILABLE", status
    metadata = client.get_model_metadata("affine", model_version=3)
    if make is make_grpc_client:  # over REST it understands another server's metadata only
        assert metadata["inputs"]["x"] == {"shape": [-1, 1], "dtype": "DT_FLOAT"}, metadata
        assert metadata["model_version"] == 3, metadata
    answer = client.predict({"x": np.array([[2.0], [4.0]], np.float32)}, "affine", model_version=3)
    assert np.asarray(answer).ravel().tolist() == [4.0, 5.0], answer
    try:
        client.predict({"x": np.array([[2.0]], np.float32)}, "absent", model_version=1)
    except ModelNotFoundError:
        pass
    else:
        raise AssertionError("a model that is not there was asked")
