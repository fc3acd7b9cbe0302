"""Why no engine answers, provoked one by one."""

from __future__ import annotations

import http.server
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures_command import Run

from packager.engine import connect
from packager.errors import EngineUnavailableError


def refusal(monkeypatch: pytest.MonkeyPatch, address: str) -> EngineUnavailableError:
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(EngineUnavailableError) as caught:
        connect()
    assert repr(address) in caught.value.message
    assert caught.value.exit_code == 21
    return caught.value


def test_there_is_no_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    error = refusal(monkeypatch, f"unix://{tmp_path}/docker.sock")
    assert error.message.endswith("there is no such socket")
    assert "systemctl start docker" in str(error.hint)
    assert "--engine none" in str(error.hint)


def test_who_can_do_without_says_how(monkeypatch: pytest.MonkeyPatch, packager: Run, tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", address)
    done = packager("smoke", "digits:1")
    assert done.code == 21
    assert "or test the model's folder, which needs none: packager smoke models/NAME" in " ".join(
        done.err.split()
    )
    assert "--engine" not in done.err


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    error = refusal(monkeypatch, f"tcp://127.0.0.1:{free_port}")
    assert error.message.endswith("connection refused")


def test_the_socket_is_somebody_else_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Root may open every socket, so the kernel's answer is put in its place.
    monkeypatch.setattr(socket.socket, "connect", denied)
    error = refusal(monkeypatch, f"unix://{tmp_path}/docker.sock")
    assert error.message.endswith("permission denied")
    assert "usermod -aG docker" in str(error.hint)


@pytest.mark.parametrize("address", ["bogus://somewhere", "a:b:c", "tcp://"])
def test_the_address_is_none(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    error = refusal(monkeypatch, address)
    assert error.message.endswith("that is not an address")
    assert "unset DOCKER_HOST" in str(error.hint)


class _NewerEngine(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"message": "client version 1.41 is too old. Minimum supported API version is 9.9"})
        self.send_response(400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def newer_engine() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _NewerEngine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_it_speaks_another_version(monkeypatch: pytest.MonkeyPatch, newer_engine: str) -> None:
    error = refusal(monkeypatch, newer_engine)
    assert "another version of the API" in error.message
    assert "pip install --upgrade docker" in str(error.hint)


def test_something_else_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        threading.Thread(target=answer, daemon=True).start()
        error = refusal(monkeypatch, f"tcp://127.0.0.1:{server.getsockname()[1]}")
    assert "docker version" in str(error.hint)


@pytest.mark.engine
def test_the_engine_of_this_machine_answers() -> None:
    try:
        engine = connect()
    except EngineUnavailableError as error:
        pytest.skip(f"{error} ({error.hint}); DOCKER_HOST={os.environ.get('DOCKER_HOST')}")
    assert engine.platform.startswith("linux/")
    engine.close()
