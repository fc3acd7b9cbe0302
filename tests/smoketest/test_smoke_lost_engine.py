"""An engine that is stopped in the middle of a smoke test; the real one stays, its socket is cut."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import docker
import pytest
from causes import ENGINE_LOST, found

from packager.engine import Engine, connect
from packager.image.tarball import Entry, tar_stream
from packager.progress import Event
from packager.smoketest import smoke_image
from packager.values import ImageReference

pytestmark = pytest.mark.engine

ENGINE = "/var/run/docker.sock"


class Relay:
    """Passes every connection on to the engine until it is cut."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._open: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(ENGINE)
                self._open += [client, engine]
                for source, target in ((client, engine), (engine, client)):
                    threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def image(
    engine: Engine, tiny_base: ImageReference, new_tag: Callable[..., ImageReference], contract_files: Path
) -> Iterator[ImageReference]:
    """An image that never gets ready. What a lost engine had to leave behind is removed after the test."""
    tag = new_tag()
    dockerfile = f"FROM {tiny_base}\nCOPY models /models\nENV MODEL_NAME=m\n" + (
        f"ENTRYPOINT {json.dumps(['sh', '-c', 'echo waiting for godot; exec sleep 600'])}\n"
    )
    entries = [
        Entry(path="Dockerfile", content=dockerfile.encode(), mode=0o644),
        *(
            Entry(path=f"models/m/1/{path.relative_to(contract_files)}", source=path, mode=0o644)
            for path in contract_files.rglob("*")
            if path.is_file()
        ),
    ]
    engine.build(tar_stream(entries), tag=tag, arguments={}, labels={})
    yield tag
    with closing(docker.from_env()) as client:
        for container in client.containers.list(all=True, filters={"ancestor": str(tag)}):
            networks = list(container.attrs["NetworkSettings"]["Networks"])
            container.remove(force=True)
            for name in networks:
                client.api.remove_network(name)


@contextmanager
def relayed(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Engine, Relay]]:
    relay = Relay(path)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with closing(connect()) as engine:
        yield engine, relay
    relay.cut()


@pytest.mark.skipif(not Path(ENGINE).exists(), reason=f"the engine does not listen on {ENGINE}")
def test_an_engine_that_stops_in_the_middle_is_told_in_seconds(
    image: ImageReference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with relayed(tmp_path / "engine.sock", monkeypatch) as (engine, relay):

        def cut_while_waiting(event: Event) -> None:
            if "godot" in event.text:
                relay.cut()

        with found(ENGINE_LOST) as timeline:
            smoke_image(engine, image, timeline=timeline, report=cut_while_waiting)
