"""A push that is interrupted ends at once, with the exit code of the interruption."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from packager.engine import Engine
from packager.values import ImageReference

pytestmark = [pytest.mark.engine, pytest.mark.registry]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_push_ends_at_once(
    command: list[str],
    engine: Engine,
    tiny_base: ImageReference,
    new_tag: Callable[..., ImageReference],
    tmp_path: Path,
    how: signal.Signals,
) -> None:
    """The registry takes the connection and never answers, so the push is surely under way."""
    import docker

    with socket.create_server(("127.0.0.1", 0)) as registry:
        tag = new_tag(f"127.0.0.1:{registry.getsockname()[1]}")
        docker.from_env().images.get(str(tiny_base)).tag(tag.repository, tag.tag)
        process = subprocess.Popen(
            [*command, "push", str(tag)], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        registry.settimeout(60)
        with registry.accept()[0]:
            process.send_signal(how)
            assert process.wait(timeout=20) == 128 + how
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
