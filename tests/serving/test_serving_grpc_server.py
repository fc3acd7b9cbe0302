"""What the gRPC server has beside the answers of models: health, reflection, limits, certificates."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from embedded_server import PATIENCE, EmbeddedServer, serving
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from packager.protocol import message, methods
from packager.protocol.services import HEALTH, PREDICTION, PROFILER

pytestmark = pytest.mark.tensorflow

REFLECTION = "grpc.reflection.v1.ServerReflection"


@pytest.fixture(scope="module")
def channel(server: EmbeddedServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        yield channel


@pytest.fixture(scope="module")
def healthy(models: Path) -> Iterator[EmbeddedServer]:
    """A server that tells its health, takes small messages only, and no more of reflection."""
    with serving(
        model_name="affine",
        model_base_path=models / "affine",
        enable_grpc_healthcheck_service="",
        enable_grpc_reflection="false",
        enable_profiler="false",
        grpc_channel_arguments=(
            "grpc.max_receive_message_length=1000,grpc.max_connection_age_ms=2000000,"
            "grpc.lb_policy_name=grpclb,odd,grpc.http2.max_frame_size=99999999999,"
            "grpc.http2.lookahead_bytes=70000"
        ),
    ) as server:
        server.wait_until_ready()
        yield server


def ask(channel: grpc.Channel, service: str, name: str, request: Any) -> Any:
    method = dict(methods(service))[name]
    return channel.unary_unary(method.path, **method.codecs)(request, timeout=PATIENCE, wait_for_ready=True)


def refusal(channel: grpc.Channel, service: str, name: str, request: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as refused:
        ask(channel, service, name, request)
    return refused.value.code().name, refused.value.details()


def watch(channel: grpc.Channel, service: str = "") -> Any:
    call = channel.unary_stream(
        f"/{HEALTH}/Watch",
        message("HealthCheckRequest").SerializeToString,
        message("HealthCheckResponse").FromString,
    )
    return call(message("HealthCheckRequest")(service=service), timeout=PATIENCE, wait_for_ready=True)


def reflect(channel: grpc.Channel, *requests: Any) -> list[Any]:
    call = channel.stream_stream(
        f"/{REFLECTION}/ServerReflectionInfo",
        message("ServerReflectionRequest").SerializeToString,
        message("ServerReflectionResponse").FromString,
    )
    made = [message("ServerReflectionRequest")(**request) for request in requests]
    return list(call(iter(made), timeout=PATIENCE))


def test_health_is_told_once_and_watched_until_the_end(models: Path) -> None:
    with serving(
        model_name="affine", model_base_path=models / "affine", enable_grpc_healthcheck_service="true"
    ) as server:
        server.wait_until_ready()
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            assert ask(channel, HEALTH, "Check", message("HealthCheckRequest")()).status == 1
            watching = [watch(channel) for _ in range(20)]  # more than there are threads
            assert [next(one).status for one in watching] == [1] * 20
            seen: list[int] = []
            ended = threading.Thread(target=lambda: seen.extend(one.status for one in watching[0]))
            ended.start()
            assert server.end() == 0
            ended.join(PATIENCE)
            assert seen == [2]


def test_health_of_something_unknown(healthy: EmbeddedServer) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{healthy.grpc_port}") as channel:
        request = message("HealthCheckRequest")(service="x")
        assert refusal(channel, HEALTH, "Check", request) == ("NOT_FOUND", "service name unknown")
        watching = watch(channel, "x")
        assert next(watching).status == 3
        watching.cancel()


def test_a_limit_on_messages_is_heeded(healthy: EmbeddedServer) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{healthy.grpc_port}") as channel:
        request = message("PredictRequest")(output_filter=["y" * 2000])
        code, words = refusal(channel, PREDICTION, "Predict", request)
        assert code == "RESOURCE_EXHAUSTED"
        assert "larger than max" in words


def window(port: int) -> int:
    """Return how much the server takes of a stream before it is asked to read it (RFC 9113, 6.5.2)."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        length = int.from_bytes(connection.recv(9, socket.MSG_WAITALL)[:3], "big")
        settings = connection.recv(length, socket.MSG_WAITALL)
    return int(dict(struct.iter_unpack(">HI", settings))[4])


def test_an_image_is_taken_at_once(server: EmbeddedServer, healthy: EmbeddedServer) -> None:
    assert window(server.grpc_port) == 2**20
    assert window(healthy.grpc_port) == 70000  # as its flag has it


def test_services_that_are_off_are_not_there(healthy: EmbeddedServer) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{healthy.grpc_port}") as channel:
        words = refusal(channel, PROFILER, "Monitor", message("MonitorRequest")())
        assert words == ("UNIMPLEMENTED", "Method not found!")
        with pytest.raises(grpc.RpcError) as refused:
            reflect(channel, {"list_services": ""})
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_traces_tell_what_was_run(channel: grpc.Channel, server: EmbeddedServer) -> None:
    profile = dict(methods(PROFILER))["Profile"]
    request = message("ProfileRequest")(duration_ms=1500, session_id="s", host_name="here")
    tracing = channel.unary_unary(profile.path, **profile.codecs).future(request, timeout=PATIENCE)
    while not tracing.done():
        assert server.predict("affine", '{"instances": [1.0]}').status == 200
        time.sleep(0.05)
    (trace,) = tracing.result().tool_data
    assert not tracing.result().empty_trace
    assert trace.name == "xplane.pb"
    assert list(message("XSpace").FromString(trace.data).hostnames) == ["here"]
    assert b"SessionRun" in trace.data


def test_a_trace_can_be_ended_and_is_taken_alone(channel: grpc.Channel) -> None:
    profile = dict(methods(PROFILER))["Profile"]
    request = message("ProfileRequest")(duration_ms=30_000)
    tracing = channel.unary_unary(profile.path, **profile.codecs).future(request, timeout=PATIENCE)
    while not tracing.done():
        time.sleep(0.5)
        code, words = refusal(channel, PROFILER, "Monitor", message("MonitorRequest")())
        assert (code, words) == ("UNIMPLEMENTED", "unimplemented.")
        terminate = dict(methods(PROFILER))["Terminate"]
        channel.unary_unary(terminate.path, **terminate.codecs)(
            message("TerminateRequest")(), timeout=PATIENCE
        )
    assert tracing.result().tool_data


def test_reflection_lists_services(channel: grpc.Channel) -> None:
    (answer,) = reflect(channel, {"list_services": ""})
    names = [service.name for service in answer.list_services_response.service]
    assert names == [
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "tensorflow.ProfilerService",
        "tensorflow.serving.ModelService",
        "tensorflow.serving.PredictionService",
    ]


def test_reflection_is_enough_to_make_a_request(channel: grpc.Channel) -> None:
    """As grpcurl does it: from a symbol to its file, and on to the files that it needs."""
    files: dict[str, FileDescriptorProto] = {}
    wanted: list[dict[str, str]] = [{"file_containing_symbol": PREDICTION}]
    while wanted:
        (answer,) = reflect(channel, wanted.pop())
        for serialised in answer.file_descriptor_response.file_descriptor_proto:
            file = FileDescriptorProto.FromString(serialised)
            files[file.name] = file
            wanted += [{"file_by_filename": name} for name in file.dependency if name not in files]
    pool = DescriptorPool()

    def add(name: str) -> None:
        if name in files:
            file = files.pop(name)
            for needed in file.dependency:
                add(needed)
            pool.Add(file)

    for name in list(files):
        add(name)
    predict = pool.FindServiceByName(PREDICTION).methods_by_name["Predict"]
    assert predict.input_type.full_name == "tensorflow.serving.PredictRequest"
    inputs = predict.input_type.fields_by_name["inputs"].message_type.fields_by_name["value"]
    assert inputs.message_type.full_name == "tensorflow.TensorProto"
    assert inputs.message_type.fields_by_name["dtype"].enum_type.values_by_name["DT_FLOAT"].number == 1
    examples = pool.FindMessageTypeByName("tensorflow.serving.ExampleList").fields_by_name["examples"]
    assert examples.message_type.full_name == "tensorflow.Example"


def test_reflection_says_what_it_does_not_know(channel: grpc.Channel) -> None:
    answers = reflect(
        channel,
        {"file_containing_symbol": "tensorflow.serving.Nothing"},
        {"file_by_filename": "nothing.proto"},
        {"all_extension_numbers_of_type": "x"},
    )
    assert [answer.error_response.error_code for answer in answers] == [5, 5, 12]


@pytest.mark.parametrize("text", ["client_verify: true", 'server_key: "x" server_cert: "y"', "odd"])
def test_certificates_that_cannot_be_used_end_the_server(models: Path, tmp_path: Path, text: str) -> None:
    config = tmp_path / "ssl.conf"
    config.write_text(text)
    with serving(model_base_path=models / "affine", ssl_config_file=config) as server:
        assert server.exit_code() == 255
        assert "Failed to start server. Error: INVALID_ARGUMENT: " in server.log()


def test_clients_are_verified_where_that_is_wanted(
    models: Path, tmp_path: Path, certificate: tuple[str, str]
) -> None:
    key, certified = certificate
    config = tmp_path / "ssl.conf"
    config.write_text(
        f"server_key: {key!r} server_cert: {certified!r} custom_ca: {certified!r} client_verify: true"
    )
    with serving(model_name="affine", model_base_path=models / "affine", ssl_config_file=config) as server:
        server.wait_until_ready()
        address, request = f"localhost:{server.grpc_port}", message("PredictRequest")()
        known = grpc.ssl_channel_credentials(certified.encode(), key.encode(), certified.encode())
        with grpc.secure_channel(address, known) as channel:
            assert refusal(channel, PREDICTION, "Predict", request) == (
                "INVALID_ARGUMENT",
                "Missing ModelSpec",
            )
        with grpc.secure_channel(address, grpc.ssl_channel_credentials(certified.encode())) as channel:
            method = dict(methods(PREDICTION))["Predict"]
            with pytest.raises(grpc.RpcError) as refused:
                channel.unary_unary(method.path, **method.codecs)(request, timeout=5)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_socket_that_was_left_behind_is_taken_over(models: Path, tmp_path: Path) -> None:
    path = tmp_path / "grpc.sock"
    for _ in range(2):
        with serving(
            model_name="affine", model_base_path=models / "affine", port=0, grpc_socket_path=path
        ) as server:
            server.wait_until_ready()
            with grpc.insecure_channel(f"unix:{path}") as channel:
                words = refusal(channel, PREDICTION, "Predict", message("PredictRequest")())
                assert words == ("INVALID_ARGUMENT", "Missing ModelSpec")
            server.process.kill()
            server.process.wait()
        assert path.exists()


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"/{PREDICTION}/Predict", grpc.StatusCode.INTERNAL),
        (f"/{HEALTH}/Check", grpc.StatusCode.INTERNAL),
        (f"/{HEALTH}/Watch", grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
def test_bytes_that_are_no_message_are_refused_and_leave_nothing_behind(
    healthy: EmbeddedServer, path: str, code: grpc.StatusCode
) -> None:
    def refused(call: Any) -> None:
        with pytest.raises(grpc.RpcError) as refusal:
            list(call(b"\xff\xff\xff", timeout=PATIENCE))
        assert refusal.value.code() is code

    memory = Path(f"/proc/{healthy.process.pid}/statm")
    with grpc.insecure_channel(f"127.0.0.1:{healthy.grpc_port}") as channel:
        call = channel.unary_stream(path)
        for _ in range(50):
            refused(call)
        before = int(memory.read_text().split()[1])
        for _ in range(1000):
            refused(call)
    assert int(memory.read_text().split()[1]) - before < 2000  # pages: 8 MB, where a leak had 17
