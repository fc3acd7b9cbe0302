"""The health check's script, by a bash like that of the images, against servers that answer this and that."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from packager.image.settings import FLAGS, HEALTHCHECK

AVAILABLE = b'{"model_version_status": [{"version": "1", "state": "AVAILABLE"}]}'
LOADING = b'{"model_version_status": [{"version": "1", "state": "LOADING"}]}'


@contextmanager
def server(body: bytes) -> Iterator[tuple[int, list[str]]]:
    """Answer every question with ``body``; gives the port and the paths that were asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running.server_address[1], asked
        running.shutdown()


def healthy(port: int, flags: str = "") -> bool:
    """Run the check as the engine would, apart from where bash is."""
    command = [shutil.which("bash") or HEALTHCHECK[0], *HEALTHCHECK[1:]]
    environment = {**os.environ, "MODEL_NAME": "digits", FLAGS: f"--rest_api_port={port} {flags}"}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=20, check=False)
    return done.returncode == 0


@pytest.mark.parametrize(("body", "expected"), [(AVAILABLE, True), (LOADING, False), (b"{}", False)])
def test_healthy_is_what_the_server_says_is_available(body: bytes, expected: bool) -> None:
    with server(body) as (port, asked):
        assert healthy(port) is expected
    assert asked == ["/v1/models/digits"]


def test_the_model_s_name_may_be_another() -> None:
    with server(AVAILABLE) as (port, asked):
        assert healthy(port, "--a=* --model_name=letters")
    assert asked == ["/v1/models/letters"]


def test_nobody_there_is_not_healthy(free_port: int) -> None:
    assert not healthy(free_port)


def test_every_model_of_a_config_file_has_to_be_available(tmp_path: Path) -> None:
    config = tmp_path / "models.config"
    config.write_text(
        'model_config_list {\n  config { name: "digits" base_path: "/models/x" }\n'
        "  config {\n    name:'letters'\n    model_platform: \"tensorflow\" }\n}\n"
    )
    with server(AVAILABLE) as (port, asked):
        assert healthy(port, f"--model_config_file={config}")
    assert asked == ["/v1/models/digits", "/v1/models/letters"]
    with server(LOADING) as (port, _):
        assert not healthy(port, f"--model_config_file={config}")
