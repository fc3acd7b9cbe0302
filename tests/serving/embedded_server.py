"""The server as its users have it: a process of its own, asked over real connections."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
"""Seconds that a loaded machine may take for anything here."""


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Served:
    """A server that can be asked, by its ports."""

    def __init__(self, *, rest_port: int, grpc_port: int) -> None:
        self.rest_port = rest_port
        self.grpc_port = grpc_port

    def ask(
        self, path: str, body: bytes | str | None = None, method: str | None = None, **headers: str
    ) -> Answer:
        """Send one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=PATIENCE)
        try:
            connection.request(
                method or ("GET" if body is None else "POST"),
                path,
                body.encode() if isinstance(body, str) else body,
                {name.replace("_", "-"): value for name, value in headers.items()},
            )
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def predict(self, model: str, body: bytes | str) -> Answer:
        return self.ask(f"/v1/models/{model}:predict", body)


class EmbeddedServer(Served):
    """A server process and the ports and log that it was given."""

    def __init__(self, flags: Mapping[str, object], environment: Mapping[str, str] | None = None) -> None:
        super().__init__(
            rest_port=int(str(flags.get("rest_api_port") or free_port())),
            grpc_port=int(str(flags.get("port") or free_port())),
        )
        ports = {"port": self.grpc_port, "rest_api_port": self.rest_port}
        addresses = {"rest_api_address": "127.0.0.1", "grpc_address": "127.0.0.1"}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "packager.serving"),
                *(f"--{name}={value}" for name, value in {**ports, **addresses, **flags}.items()),
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "PYTHONPATH": str(REPOSITORY),
                "TF_CPP_MIN_LOG_LEVEL": "2",
                **(environment or {}),
            },
        )

    def log(self) -> str:
        self._log.flush()
        return os.pread(self._log.fileno(), 1 << 22, 0).decode("utf-8", "replace")

    def wait_until_ready(self) -> None:
        self.wait_for_log("Exporting HTTP/REST API at:")

    def wait_for_log(self, pattern: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.log()):
            assert self.process.poll() is None, f"the server ended:\n{self.log()}"
            assert time.monotonic() < deadline, f"the log never said {pattern!r}:\n{self.log()}"
            time.sleep(0.02)

    def state(self, model: str, version: int) -> str:
        answer = self.ask(f"/v1/models/{model}/versions/{version}")
        found = re.search(rb'"state": "([A-Z]+)"', answer.body)
        return found[1].decode() if found else f"HTTP {answer.status}"

    def wait_for_state(self, model: str, version: int, state: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while (present := self.state(model, version)) != state:
            assert time.monotonic() < deadline, f"{model} {version} is {present}, not {state}:\n{self.log()}"
            time.sleep(0.02)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.rest_port), timeout=PATIENCE)

    def listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.rest_port)) == 0

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE)


@contextmanager
def serving(environment: Mapping[str, str] | None = None, **flags: Any) -> Iterator[EmbeddedServer]:
    """Run a server until the end of the ``with``, ready or not."""
    server = EmbeddedServer(flags, environment)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def config_file(path: Path, *models: str) -> Path:
    """Write a ModelServerConfig with the fields of each model."""
    configs = "".join(f'config {{ model_platform: "tensorflow" {fields} }}\n' for fields in models)
    path.write_text(f"model_config_list {{\n{configs}}}\n")
    return path
