"""Requests that are run in batches, and what is counted of them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from embedded_server import EmbeddedServer, config_file, serving
from grpc_client import Client, floats, predict_request, spec

from packager.protocol import message

pytestmark = pytest.mark.tensorflow

MODELS = ("affine", "counting", "echo_string", "matrix", "pair", "shapes")
PAGE = "/monitoring/prometheus/metrics"


def batching_file(folder: Path, text: str) -> Path:
    path = folder / "batching.conf"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def batching(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server with one thread for batches of at most 4, padded to 4, that wait for 0.2 s; and metrics."""
    folder = tmp_path_factory.mktemp("batching")
    monitoring = folder / "monitoring.conf"
    monitoring.write_text("prometheus_config { enable: true }")
    parameters = """
        max_batch_size { value: 4 } batch_timeout_micros { value: 200000 } max_enqueued_batches { value: 2 }
        num_batch_threads { value: 1 } allowed_batch_sizes: 2 allowed_batch_sizes: 4
    """
    with serving(
        model_config_file=config_file(
            folder / "models.conf", *(f'name: "{name}" base_path: "{models / name}"' for name in MODELS)
        ),
        enable_batching="true",
        batching_parameters_file=batching_file(folder, parameters),
        monitoring_config_file=monitoring,
    ) as server:
        server.wait_until_ready()
        yield server


def predictions(server: EmbeddedServer, model: str, body: str) -> object:
    answer = server.predict(model, body)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def error(server: EmbeddedServer, model: str, body: str) -> tuple[int, str]:
    answer = server.predict(model, body)
    return answer.status, json.loads(answer.body).get("error", "")


def test_requests_at_once_each_get_their_own_rows(batching: EmbeddedServer) -> None:
    bodies = [f'{{"instances": [[{n}], [{n + 0.5}]]}}' for n in range(8)]
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda body: batching.predict("affine", body), bodies))
    answered = [(n, json.loads(a.body)["predictions"]) for n, a in enumerate(answers) if a.status == 200]
    refused = [json.loads(a.body)["error"] for a in answers if a.status != 200]
    assert len(answered) >= 4  # two batches of two requests
    assert all(rows == [[n / 2 + 3], [(n + 0.5) / 2 + 3]] for n, rows in answered)
    full = "The batch scheduling queue to which this task was submitted is full; currently 2 batches"
    assert all(words.startswith(full) for words in refused)


def test_strings_are_batched_and_padded(batching: EmbeddedServer) -> None:
    words = [["a"], ["b", "c"], ["d"]]
    with ThreadPoolExecutor(3) as clients:
        answers = list(
            clients.map(
                lambda texts: predictions(batching, "echo_string", json.dumps({"instances": texts})), words
            )
        )
    assert answers == [{"predictions": texts} for texts in words]


@pytest.mark.parametrize(
    ("model", "body", "status", "words"),
    [
        (
            "affine",
            '{"instances": [[1], [2], [3], [4], [5], [6]]}',
            400,
            "Task size 6 is larger than maximum input batch size 4",
        ),
        ("affine", '{"inputs": 1}', 400, "Batching Run() input tensors must have at least one dimension"),
        (
            "pair",
            '{"inputs": {"number": [1, 2], "text": ["a"]}}',
            400,
            "Batching Run() input tensors must have equal 0th-dimension size",
        ),
        (
            "shapes",
            '{"signature_name": "scalar", "inputs": [1]}',
            400,
            "Batched output tensor has 0 dimensions",
        ),
        (
            "shapes",
            '{"signature_name": "empty", "inputs": [1]}',
            400,
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes "
            "of the input tensors",
        ),
    ],
)
def test_what_cannot_be_batched_is_refused(
    batching: EmbeddedServer, model: str, body: str, status: int, words: str
) -> None:
    assert error(batching, model, body) == (status, words)


def test_an_empty_batch_does_not_hang(batching: EmbeddedServer) -> None:
    assert predictions(batching, "echo_string", '{"inputs": []}') == {"outputs": []}


@pytest.mark.parametrize("shape", [(0, 1), (1, 0), (2, 0)])
def test_tensors_of_nothing_are_batched_over_grpc(batching: EmbeddedServer, shape: tuple[int, ...]) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{batching.grpc_port}") as channel:
        request = predict_request(spec("affine"), x=floats(shape=shape))
        answer = Client(channel).call("Predict", request).outputs["y"]
    sizes = [dim.size for dim in message("TensorProto").FromString(answer).tensor_shape.dim]
    assert tuple(sizes) == shape


def test_shapes_that_do_not_go_together_fail_together(batching: EmbeddedServer) -> None:
    bodies = ['{"inputs": [[1, 2]]}', '{"inputs": [[1, 2, 3]]}']
    with ThreadPoolExecutor(2) as clients:
        answers = list(clients.map(lambda body: error(batching, "matrix", body), bodies))
    words = "Tensors with name 'x:0' from different tasks have different shapes and padding is turned off."
    assert {status for status, _ in answers} == {400}
    assert all(text.startswith(words) for _, text in answers)


def test_examples_are_batched_too(batching: EmbeddedServer) -> None:
    body = '{"signature_name": "regress", "examples": [{"x": 1.0}, {"x": 2.0}, {"x": 3.0}]}'
    answer = batching.ask("/v1/models/affine:regress", body)
    assert json.loads(answer.body) == {"results": [3.5, 4.0, 4.5]}


def test_requests_are_counted_where_the_configuration_says(batching: EmbeddedServer) -> None:
    batching.predict("affine", '{"instances": [[1]]}')
    batching.predict("affine", "{")
    batching.predict("absent", '{"instances": [[1]]}')
    answer = batching.ask(PAGE)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain")
    page = answer.body.decode()
    assert "# TYPE :tensorflow:serving:request_count counter\n" in page
    assert re.search(r':request_count\{model_name="affine",status="OK"} [1-9]', page)
    assert re.search(r':request_count\{model_name="affine",status="INVALID_ARGUMENT"} [1-9]', page)
    assert re.search(r':request_count\{model_name="absent",status="NOT_FOUND"} 1\n', page)
    for metric, last in (("request_latency", 'entrypoint="REST"'), ("runtime_latency", 'runtime="TF1"')):
        api = "predict" if metric == "request_latency" else "Predict"
        labels = re.escape(f'model_name="affine",API="{api}",{last}')
        assert re.search(rf':{metric}_bucket\{{{labels},le="708235"}} [1-9]', page)
        assert re.search(rf":{metric}_sum\{{{labels}}} [1-9]", page)
    assert ':request_example_count_total{model="affine"} 3\n' in page
    assert re.search(r":batching_session:wrapped_run_count\{} [1-9]", page)
    assert re.search(r':batching_session:padding_size_bucket\{execution_batch_size="2",le="2"} [1-9]', page)
    assert re.search(r":tensorflow:core:graph_runs\{} [1-9]", page)
    assert re.search(r':load_attempt_count\{model_path="[^"]*/affine/3",status="success"} 1\n', page)


def test_there_is_no_page_of_metrics_unless_it_is_asked_for(server: EmbeddedServer) -> None:
    assert server.ask(PAGE).status == 404


def test_large_requests_are_split_and_ragged_ones_padded(models: Path, tmp_path: Path) -> None:
    parameters = """
        max_batch_size { value: 8 } max_execution_batch_size { value: 4 } num_batch_threads { value: 2 }
        enable_large_batch_splitting { value: true } pad_variable_length_inputs: true
        batch_timeout_micros { value: 100000 }
    """
    with serving(
        model_name="echo",
        model_base_path=models / "echo_float32",
        enable_batching="",
        batching_parameters_file=batching_file(tmp_path, parameters),
    ) as server:
        server.wait_until_ready()
        assert predictions(server, "echo", json.dumps({"inputs": [1, 2, 3, 4, 5, 6, 7]})) == {
            "outputs": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
        }
        assert (
            "larger than maximum input batch size 8" in error(server, "echo", f'{{"inputs": {[0] * 9}}}')[1]
        )
        bodies = ['{"inputs": [[5, 6]]}', '{"inputs": [[7, 8, 9]]}']
        with ThreadPoolExecutor(2) as clients:
            answers = list(clients.map(lambda body: predictions(server, "echo", body), bodies))
        assert answers == [{"outputs": [[5.0, 6.0, 5.0]]}, {"outputs": [[7.0, 8.0, 9.0]]}]


def test_a_model_may_bring_its_own_parameters(models: Path, tmp_path: Path) -> None:
    for name in ("own", "none"):
        shutil.copytree(models / "affine" / "1", tmp_path / name / "1")
    (tmp_path / "own" / "1" / "batching_params.pbtxt").write_text("max_batch_size { value: 1 }")
    with serving(
        model_config_file=config_file(
            tmp_path / "models.conf",
            *(f'name: "{name}" base_path: "{tmp_path / name}"' for name in ("own", "none")),
        ),
        enable_batching="true",
        enable_per_model_batching_parameters="true",
    ) as server:
        server.wait_until_ready()
        body = '{"instances": [[1], [2]]}'
        assert error(server, "own", body) == (400, "Task size 2 is larger than maximum input batch size 1")
        assert predictions(server, "none", body) == {"predictions": [[1.5], [2.0]]}


@pytest.mark.parametrize(
    ("flags", "parameters", "words"),
    [
        (
            {"enable_batching": "true"},
            "max_batch_size { value: 4 } allowed_batch_sizes: 2 allowed_batch_sizes: 3",
            "INVALID_ARGUMENT: Last entry in allowed_batch_sizes must match max_batch_size; "
            "last entry was 3; expected 4",
        ),
        (
            {},
            "max_batch_size { value: 4 }",
            "INVALID_ARGUMENT: server_options.batching_parameters_file is set without setting "
            "server_options.enable_batching to true.",
        ),
        ({"enable_batching": "true"}, "max_batch_size: 4", "INVALID_ARGUMENT: Invalid protobuf file: '"),
        (
            {"enable_batching": "true"},
            "num_batch_threads { value: 0 }",
            "INVALID_ARGUMENT: num_batch_threads must be positive; was 0",
        ),
    ],
)
def test_wrong_parameters_end_the_server(
    models: Path, tmp_path: Path, flags: dict[str, str], parameters: str, words: str
) -> None:
    with serving(
        model_base_path=models / "affine",
        max_num_load_retries=0,
        batching_parameters_file=batching_file(tmp_path, parameters),
        **flags,
    ) as server:
        assert server.exit_code() == 255
        assert words in server.log()


def platform_file(folder: Path, bundle: str, platform: str = "tensorflow") -> Path:
    adapter = "type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig"
    config = f"source_adapter_config {{ [{adapter}] {{ legacy_config {{ {bundle} }} }} }}"
    path = folder / "platform.conf"
    path.write_text(f'platform_configs {{ key: "{platform}" value {{ {config} }} }}')
    return path


def test_a_platform_file_goes_over_the_flags(models: Path, tmp_path: Path) -> None:
    bundle = """
        saved_model_tags: "serve" saved_model_tags: "tuned"
        session_config { intra_op_parallelism_threads: 1 session_inter_op_thread_pool { num_threads: 1 } }
        batching_parameters { max_batch_size { value: 1 } }
    """
    with serving(
        model_name="m",
        model_base_path=models / "tagged",
        platform_config_file=platform_file(tmp_path, bundle),
        saved_model_tags="other",
        enable_batching="false",
    ) as server:
        server.wait_until_ready()
        body = '{"instances": [[1], [2]]}'
        assert error(server, "m", body) == (400, "Task size 2 is larger than maximum input batch size 1")
        assert predictions(server, "m", '{"instances": [[1]]}') == {"predictions": [[5.5]]}
        assert "warmup data" not in server.log()


@pytest.mark.parametrize(
    ("bundle", "platform", "words"),
    [
        ("nonsense: 1", "tensorflow", "INVALID_ARGUMENT: Invalid protobuf file: '"),
        ("", "caffe", "has no platform 'tensorflow', which all models here are of"),
    ],
)
def test_a_platform_file_that_fits_no_model_ends_the_server(
    models: Path, tmp_path: Path, bundle: str, platform: str, words: str
) -> None:
    path = platform_file(tmp_path, bundle, platform)
    with serving(model_base_path=models / "affine", platform_config_file=path) as server:
        assert server.exit_code() == 255
        assert words in server.log()
