"""TensorFlow Lite models, which one flag has the server prefer to SavedModels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from embedded_server import PATIENCE, EmbeddedServer, config_file, serving

from packager.protocol import message, methods
from packager.protocol.services import PREDICTION

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server with a model that has both kinds, and one that is a SavedModel only."""
    fields = (f'name: "{name}" base_path: "{models / name}"' for name in ("lite", "affine"))
    path = config_file(tmp_path_factory.mktemp("lite") / "models.conf", *fields)
    with serving(model_config_file=path, prefer_tflite_model="true", num_tflite_pools=2) as server:
        server.wait_until_ready()
        yield server


def answer(server: EmbeddedServer, body: object, model: str = "lite") -> object:
    return json.loads(server.predict(model, json.dumps(body)).body)


def test_the_lite_model_is_preferred(server: EmbeddedServer) -> None:
    asked = {"inputs": {"x": [[1.0], [2.5]], "n": 2**40}}
    assert answer(server, asked) == {"outputs": {"y": [[11.0], [12.5]], "m": 2**40 + 1}}
    assert answer(server, {"instances": [[1.0]]}, "affine") == {"predictions": [[3.5]]}


def test_clients_at_once_each_get_their_own_answer(server: EmbeddedServer) -> None:
    def ask(number: int) -> object:
        return answer(server, {"inputs": {"x": [[number]] * (number % 3 + 1), "n": number}})

    with ThreadPoolExecutor(8) as clients:
        for number, given in enumerate(clients.map(ask, range(100))):
            assert given == {"outputs": {"y": [[number + 10.0]] * (number % 3 + 1), "m": number + 1}}


@pytest.mark.parametrize("n", [[1, 2, 3], 1, [[5]]])
def test_shapes_are_as_they_are_sent(server: EmbeddedServer, n: object) -> None:
    expected = json.loads(json.dumps(n).translate(str.maketrans("1235", "2346")))
    assert answer(server, {"inputs": {"x": [[1.0]], "n": n}}) == {"outputs": {"y": [[11.0]], "m": expected}}


def test_a_wrong_type_is_refused_and_spoils_nothing(server: EmbeddedServer) -> None:
    method = dict(methods(PREDICTION))["Predict"]
    wrong = message("TensorProto")(dtype=3, int_val=[1]).SerializeToString()
    request = message("PredictRequest")(inputs={"x": wrong, "n": wrong})
    request.model_spec.name = "lite"
    with (
        grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel,
        pytest.raises(grpc.RpcError) as refused,
    ):
        channel.unary_unary(method.path, **method.codecs)(request, timeout=PATIENCE)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Got value of type INT32 but expected type" in refused.value.details()
    assert answer(server, {"inputs": {"x": [[1.0]], "n": 1}}) == {"outputs": {"y": [[11.0]], "m": 2}}


def test_metadata_tell_its_signature(server: EmbeddedServer) -> None:
    metadata = json.loads(server.ask("/v1/models/lite/metadata").body)["metadata"]["signature_def"]
    signature = metadata["signature_def"]["serving_default"]
    assert signature["inputs"]["n"]["dtype"] == "DT_INT64"
    assert [size["size"] for size in signature["inputs"]["x"]["tensor_shape"]["dim"]] == ["-1", "1"]
    assert set(signature["outputs"]) == {"y", "m"}


def test_what_is_no_lite_model_fails_the_load(tmp_path: Path) -> None:
    (tmp_path / "m" / "1").mkdir(parents=True)
    (tmp_path / "m" / "1" / "model.tflite").write_bytes(b"this is no model of any kind")
    flags = {"prefer_tflite_model": "", "max_num_load_retries": 0}
    with serving(model_name="m", model_base_path=tmp_path / "m", **flags) as server:
        assert server.exit_code() == 255
        assert "{name: m version: 1} due to error: INVALID_ARGUMENT: " in server.log()
