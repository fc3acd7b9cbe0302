"""From the start of the process to its end: ports, log lines, exit codes, signals."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from embedded_server import PATIENCE, REPOSITORY, Answer, free_port, serving

pytestmark = pytest.mark.tensorflow


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "packager.serving", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=REPOSITORY,
    )


def resident_megabytes(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_quick_model_that_takes_long_for_once_is_held_to_the_time_limit(models: Path) -> None:
    with serving(model_name="m", model_base_path=models / "sorting", rest_api_timeout_in_ms=100) as server:
        server.wait_until_ready()
        for _ in range(100):
            assert server.predict("m", '{"inputs": [1]}').status == 200
        for _ in range(2):  # at once, and then, as it is not quick any more, in another thread
            answer = server.predict("m", '{"inputs": [5000000]}')
            assert (answer.status, json.loads(answer.body)) == (
                504,
                {"error": "Timed out waiting for notification"},
            )
        assert server.predict("m", '{"inputs": [1]}').status == 200


def test_a_model_is_served_from_flags_alone(models: Path) -> None:
    with serving(model_name="m", model_base_path=models / "affine") as server:
        server.wait_until_ready()
        answer = server.predict("m", '{"instances": [1.0]}')
        assert json.loads(answer.body) == {"predictions": [3.5]}
        for line in (
            rf"Building single .*config:  model_name: m model_base_path: {models}/affine\n",
            r"\] Adding/updating models\.\n",
            r"\]  \(Re-\)adding model: m\n",
            r"\] Loading servable version \{name: m version: 3\}\n",
            r"\] Successfully loaded servable version \{name: m version: 3\}\n",
            r"\] Finished adding/updating models\n",
            rf"\] Exporting HTTP/REST API at:127\.0\.0\.1:{server.rest_port} \.\.\.\n",
        ):
            assert re.search(line, server.log()), line
        assert re.search(
            r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}: I packager/serving/server\.py:\d+\] Exporting",
            server.log(),
            re.MULTILINE,
        )


def test_a_folder_with_leading_zeros_is_a_version(models: Path) -> None:
    with serving(model_name="m", model_base_path=models / "padded") as server:
        server.wait_until_ready()
        assert server.state("m", 123) == "AVAILABLE"


def test_the_start_is_quick_and_small(models: Path) -> None:
    """The bound of time has room for a loaded machine."""
    started = time.monotonic()
    with serving(model_name="m", model_base_path=models / "affine") as server:
        server.wait_until_ready()
        assert server.predict("m", '{"instances": [1.0]}').status == 200
        assert time.monotonic() - started < 6
        assert resident_megabytes(server.process.pid) < 80
        for _ in range(200):
            server.predict("m", '{"instances": [1.0]}')
        assert resident_megabytes(server.process.pid) < 80


def gives_huge_pages_to_who_asks() -> bool:
    enabled, size = (Path("/sys/kernel/mm/transparent_hugepage", n) for n in ("enabled", "hpage_pmd_size"))
    return enabled.exists() and "[madvise]" in enabled.read_text() and int(size.read_text()) <= 2**21


@pytest.mark.parametrize("chosen", [None, "", "glibc.malloc.perturb=7"])
def test_the_heap_is_in_huge_pages_where_the_kernel_gives_them_to_who_asks(
    models: Path, monkeypatch: pytest.MonkeyPatch, chosen: str | None
) -> None:
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    tuned = chosen
    if chosen is None and gives_huge_pages_to_who_asks():
        tuned = "glibc.malloc.hugetlb=1"
    environment = {} if chosen is None else {"GLIBC_TUNABLES": chosen}
    with serving(environment, model_name="m", model_base_path=models / "affine") as server:
        server.wait_until_ready()
        process = Path(f"/proc/{server.process.pid}")
        variables = dict(v.split("=", 1) for v in (process / "environ").read_text().split("\0") if v)
        assert variables.get("GLIBC_TUNABLES") == tuned
        assert (process / "cmdline").read_text().split("\0")[:-1] == server.process.args
        heap = (process / "smaps").read_text().partition("[heap]")[2]
        flags = re.search(r"^VmFlags: (.*)$", heap, re.MULTILINE)
        assert flags
        asks = tuned == "glibc.malloc.hugetlb=1" and float(platform.libc_ver()[1]) >= 2.35
        assert ("hg" in flags[1].split()) == asks


def test_a_signal_that_comes_while_python_starts_ends_the_server(models: Path) -> None:
    """It waits, as it does from the moment on that the process starts anew."""

    def receive() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        os.kill(os.getpid(), signal.SIGTERM)

    command = [sys.executable, "-m", "packager.serving", f"--model_base_path={models / 'affine'}", "--port=0"]
    assert subprocess.run(command, preexec_fn=receive, cwd=REPOSITORY, timeout=PATIENCE).returncode == 0


def test_a_signal_ends_the_server_at_any_moment_of_its_start(models: Path) -> None:
    command = [sys.executable, "-m", "packager.serving", f"--model_base_path={models / 'affine'}", "--port=0"]
    for moment in range(0, 100, 5):
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
        time.sleep(moment / 1000)
        process.terminate()
        assert process.wait(PATIENCE) in (0, -signal.SIGTERM)  # which it is before Python has a handler


def test_the_tensorflow_package_is_never_imported(models: Path, tmp_path: Path) -> None:
    """A folder with the libraries and generated modules but no package to import is enough."""
    spec = importlib.util.find_spec("tensorflow")
    assert spec
    assert spec.submodule_search_locations
    installed = Path(next(iter(spec.submodule_search_locations)))
    bare = tmp_path / "tensorflow"
    bare.mkdir()
    for name in ("core", "tsl", "libtensorflow_cc.so.2", "libtensorflow_framework.so.2"):
        (bare / name).symlink_to(installed / name)
    environment = {"PACKAGER_TENSORFLOW_DIR": str(bare)}
    with serving(environment, model_name="m", model_base_path=models / "affine") as server:
        server.wait_until_ready()
        regress = '{"signature_name": "regress", "examples": [{"x": 1.0}]}'
        assert server.ask("/v1/models/m:regress", regress).status == 200
        assert server.ask("/v1/models/m/metadata").status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_at_once_when_nobody_asks(models: Path, number: signal.Signals) -> None:
    with serving(model_name="m", model_base_path=models / "affine") as server:
        server.wait_until_ready()
        idle = server.connect()
        started = time.monotonic()
        assert server.end(number) == 0
        assert time.monotonic() - started < 3
        assert idle.recv(1) == b""
        assert f"Received {number.name}, shutting down" in server.log()


def test_a_signal_lets_requests_under_way_be_answered(models: Path) -> None:
    answers: list[Answer] = []
    with serving(model_name="m", model_base_path=models / "counting") as server:
        server.wait_until_ready()
        asking = threading.Thread(target=lambda: answers.append(server.predict("m", '{"inputs": [300000]}')))
        asking.start()
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("shutting down")
        until(lambda: not server.listens())
        asking.join()
        assert server.exit_code() == 0
    assert [json.loads(answer.body) for answer in answers] == [{"outputs": [300000]}]
    assert answers[0].headers["Connection"] == "close"


def test_a_second_signal_ends_the_server_at_once(models: Path) -> None:
    with serving(model_name="m", model_base_path=models / "counting") as server:
        server.wait_until_ready()
        with server.connect() as client:
            body = b'{"inputs": [2000000000]}'
            client.sendall(
                b"POST /v1/models/m:predict HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            server.wait_for_log("shutting down")
            assert server.process.poll() is None
            assert server.end() == 128 + signal.SIGTERM


def test_a_signal_ends_a_server_that_still_waits_for_a_model(tmp_path: Path) -> None:
    with serving(model_name="m", model_base_path=tmp_path) as server:
        server.wait_for_log("No versions of servable m found under base path")
        assert not server.listens()
        assert server.end() == 0


def test_requests_have_a_time_limit(models: Path) -> None:
    with serving(model_name="m", model_base_path=models / "counting", rest_api_timeout_in_ms=300) as server:
        server.wait_until_ready()
        answer = server.predict("m", '{"inputs": [2000000000]}')
        assert answer.status == 504
        assert json.loads(answer.body)["error"].startswith("Timed out")


def test_a_missing_base_path_is_waited_for(models: Path, tmp_path: Path) -> None:
    base_path = tmp_path / "m"
    with serving(model_name="m", model_base_path=base_path) as server:
        server.wait_for_log(
            f"Could not find base path {base_path} for servable m with error NOT_FOUND: {base_path} not found"
        )
        assert not server.listens()
        base_path.symlink_to(models / "affine")
        server.wait_until_ready()
        assert server.state("m", 3) == "AVAILABLE"


def test_no_version_is_waited_for(models: Path, tmp_path: Path) -> None:
    with serving(model_name="m", model_base_path=tmp_path) as server:
        server.wait_for_log(
            rf"No versions of servable m found under base path {tmp_path}\. "
            r"Did you forget to name your leaf directory as a number \(eg\. '/1/'\)\?"
        )
        (tmp_path / "1").symlink_to(models / "affine" / "1")
        server.wait_until_ready()


def test_a_model_that_cannot_be_loaded_ends_the_server(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    with serving(model_name="m", model_base_path=tmp_path, max_num_load_retries=0) as server:
        assert server.exit_code() == 255
        assert re.search(
            r"^Failed to start server\. Error: UNKNOWN: 1 servable\(s\) did not become available: "
            r"\{\{\{name: m version: 1\} due to error: NOT_FOUND: Could not find SavedModel .*\}, \}$",
            server.log(),
            re.MULTILINE,
        )
        assert "Exporting" not in server.log()


def test_a_load_that_fails_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    flags = {"max_num_load_retries": 2, "load_retry_interval_micros": 1000}
    with serving(model_name="m", model_base_path=tmp_path, **flags) as server:
        assert server.exit_code() == 255
        assert "Retrying of Loading servable: {name: m version: 1} retry: 2" in server.log()
        assert "exhausted max_num_retries: 2" in server.log()


@pytest.mark.parametrize(("tags", "ready"), [("serve,tuned", True), ("serve", False)])
def test_tags_choose_the_graph(models: Path, tags: str, ready: bool) -> None:
    flags = {"saved_model_tags": tags, "max_num_load_retries": 0}
    with serving(model_name="m", model_base_path=models / "tagged", **flags) as server:
        if ready:
            server.wait_until_ready()
            assert server.predict("m", '{"instances": [1.0]}').status == 200
        else:
            assert server.exit_code() == 255
            assert "Could not find meta graph def matching supplied tags: { serve }" in server.log()


def test_a_port_in_use_is_told_before_anything_is_loaded(models: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serving(model_name="m", model_base_path=models / "affine", rest_api_port=port) as server:
            assert server.exit_code() == 255
            assert f"Failed to start HTTP Server at 127.0.0.1:{port}: [Errno 98] Address already in use" in (
                server.log()
            )
            assert "Loading servable" not in server.log()


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (
            [],
            "INVALID_ARGUMENT: Both server_options.model_base_path and "
            "server_options.model_config_file are empty!",
        ),
        (
            ["--model_base_path=relative/m"],
            "INVALID_ARGUMENT: Expected model default to have an absolute path or URI; "
            "got base_path()=relative/m",
        ),
        (["--model_config_file=/none"], "NOT_FOUND: /none; No such file or directory"),
        (["--model_config_file=/proc/version"], "INVALID_ARGUMENT: Invalid protobuf file: '/proc/version'"),
        (
            [
                "--model_base_path=/m",
                *(f"--tensorflow_{which}_parallelism=1" for which in ("session", "intra_op", "inter_op")),
            ],
            "INVALID_ARGUMENT: Either configure server_options.tensorflow_session_parallelism or ",
        ),
    ],
)
def test_what_cannot_be_served_is_told(flags: list[str], reason: str) -> None:
    ended = run(*flags)
    assert ended.returncode == 255
    assert f"Failed to start server. Error: {reason}" in ended.stdout


def test_a_bad_flag_value_shows_the_usage() -> None:
    ended = run("--rest_api_port=many")
    assert ended.returncode == 255
    assert ended.stderr.endswith("] Couldn't interpret value many for flag rest_api_port.\n")
    assert ended.stdout.startswith("usage: ")


def test_an_unknown_flag_shows_the_usage_and_is_passed_over() -> None:
    ended = run("--colour=red")
    assert ended.stdout.startswith("unknown argument: --colour=red\nusage: ")
    assert ended.stdout.endswith("model_config_file are empty!\n")


def test_help_and_version() -> None:
    assert run("--help").stdout.startswith("usage: tensorflow_model_server\nFlags:\n\t--port=8500")
    version = run("--version")
    assert version.returncode == 0
    assert re.fullmatch(r"TensorFlow ModelServer: .+\nTensorFlow Library: 2\.\d+\.\d+\n", version.stdout)


def test_a_missing_library_is_no_models_fault(models: Path, tmp_path: Path) -> None:
    environment = {"PACKAGER_TENSORFLOW_DIR": str(tmp_path)}
    with serving(environment, model_name="m", model_base_path=models / "affine") as server:
        assert server.exit_code() == 255
        assert "Failed to start server. Error: UNAVAILABLE: TensorFlow's library cannot be loaded: " in (
            server.log()
        )


def test_sessions_are_configured_by_flags(models: Path, tmp_path: Path) -> None:
    config = tmp_path / "session.conf"
    config.write_text("inter_op_parallelism_threads: 1")
    flags = {"tensorflow_session_config_file": config, "tensorflow_intra_op_parallelism": 1}
    with serving(model_name="m", model_base_path=models / "affine", **flags) as server:
        server.wait_until_ready()
        assert server.predict("m", '{"instances": [1.0]}').status == 200


def test_without_a_rest_port_nothing_listens(models: Path) -> None:
    port = free_port()
    with serving(model_name="m", model_base_path=models / "affine", rest_api_port=0, port=port) as server:
        server.wait_for_log("Finished adding/updating models")
        assert "Exporting" not in server.log()
        assert server.end() == 0


def test_a_server_does_not_outlive_the_command_that_started_it(models: Path) -> None:
    port = free_port()
    ports = ["--port", str(port), "--flag", f"--port={free_port()}"]
    command = subprocess.Popen(
        [sys.executable, "-m", "packager", "serve", str(models / "affine"), *ports], cwd=REPOSITORY
    )
    try:
        until(lambda: listens(port))
    finally:
        command.kill()
        command.wait()
    until(lambda: not listens(port))


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True
