"""A model server that says whatever a test wants it to say, over real HTTP."""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from packager.smoketest.server import ServerExit, ServerUsage

Reply = Callable[[BaseHTTPRequestHandler], None]


def says(document: Any, code: int = 200) -> Reply:
    """Reply with JSON, or with ``document`` itself where it is bytes."""
    content = document if isinstance(document, bytes) else json.dumps(document).encode()

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return reply


def status(state: str, error: str = "", version: int = 1) -> Reply:
    code = "UNKNOWN" if error else "OK"
    entry = {
        "version": str(version),
        "state": state,
        "status": {"error_code": code, "error_message": error},
    }
    return says({"model_version_status": [entry]})


def resets(handler: BaseHTTPRequestHandler) -> None:
    """Drop the connection as a dying server does, with a TCP reset."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(handler.connection.detach())


def stalls(seconds: float) -> Reply:
    return lambda _: time.sleep(seconds)


def by_form(rows: Any, columns: Any) -> Reply:
    """Reply to row form with ``rows``, to columnar form with ``columns``."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        _, body = handler.server.asked[-1]  # type: ignore[attr-defined]
        says({"predictions": rows} if "instances" in body else {"outputs": columns})(handler)

    return reply


def published(**tensors: dict[str, tuple[int, ...]]) -> Any:
    """Metadata of one signature: float tensors by name and shape, under ``inputs`` and ``outputs``."""

    def tensor(shape: tuple[int, ...]) -> dict[str, Any]:
        return {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": str(size)} for size in shape]}}

    sides = {side: {name: tensor(shape) for name, shape in named.items()} for side, named in tensors.items()}
    return {"metadata": {"signature_def": {"signature_def": {"serving_default": sides}}}}


class StandIn(ThreadingHTTPServer):
    """Replies to GET with ``statuses`` and to POST with ``answers``, in order; the last one repeats.

    Metadata is ``metadata``, and nonsense is answered by ``refusal``, where there is one.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: list[Reply] = [status("AVAILABLE")]
        self.answers: list[Reply] = [says({"predictions": []})]
        self.metadata = says(published(inputs={"x": (-1, 2)}, outputs={"y": (-1, 2)}))
        self.refusal: Reply | None = None
        self.asked: list[tuple[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about connections that a test drops."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: StandIn

    def do_GET(self) -> None:
        self.server.asked.append((self.path, None))
        if self.path.endswith("/metadata"):
            self.server.metadata(self)
        else:
            self._next(self.server.statuses)(self)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            document = json.loads(body)
        except ValueError:
            document = {}
        self.server.asked.append((self.path, document))
        nonsense = not document or b"no such" in body
        ((nonsense and self.server.refusal) or self._next(self.server.answers))(self)

    def _next(self, replies: list[Reply]) -> Reply:
        return replies.pop(0) if len(replies) > 1 else replies[0]

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@dataclass
class Seen:
    """A running server as the smoke test sees it, its state set by the test."""

    url: str | None = None
    log: str = ""
    end: ServerExit | None = None
    mode: str = "process"
    started: float = field(default_factory=time.monotonic)
    memory: int | None = 50_000_000
    grpc: str | None = None
    ends: ServerExit = field(default_factory=lambda: ServerExit(exit_code=0))

    def rest_url(self) -> str | None:
        return self.url

    def grpc_address(self) -> str | None:
        return self.grpc

    def exit(self) -> ServerExit | None:
        return self.end

    def logs(self) -> str:
        return self.log

    def usage(self) -> ServerUsage | None:
        return self.memory and ServerUsage(memory_bytes=self.memory, cpu_s=1.0)

    def stop(self, patience: float) -> ServerExit:
        return self.ends
