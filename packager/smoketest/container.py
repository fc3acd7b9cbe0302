"""A serving image as a container under test."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from packager.errors import ServerStartError
from packager.smoketest.server import LOAD_ONCE, ServerExit

if TYPE_CHECKING:
    from packager.engine import Container, ContainerSpec

REST_PORT = 8501
"""Where TensorFlow Serving's images serve REST, by their entry point."""

_LOG_TAIL = 2000


class ContainerServer:
    """A container that was started; its port is published on the loopback only."""

    mode = "container"

    def __init__(self, container: Container, *, started: float) -> None:
        self.started = started
        self._container = container

    def rest_url(self) -> str | None:
        """Return the published address, ``None`` where the container has ended and lost it."""
        try:
            return f"http://127.0.0.1:{self._container.port(REST_PORT)}"
        except ServerStartError:
            return None

    def exit(self) -> ServerExit | None:
        """Return how the container ended, ``None`` while it runs."""
        state = self._container.state()
        if state.running:
            return None
        return ServerExit(exit_code=state.exit_code, out_of_memory=state.oom_killed, error=state.error)

    def logs(self) -> str:
        """Return the last lines that the container wrote."""
        return self._container.logs(tail=_LOG_TAIL)


def container_spec(image: str, *, port: int | None, memory: int | None = None) -> ContainerSpec:
    """Describe a container of ``image`` for one smoke test: it can compute, and do nothing else."""
    from packager.engine import ContainerSpec  # loads the docker SDK, which model folders do without

    return ContainerSpec(
        image=image,
        arguments=(LOAD_ONCE,),
        ports=(REST_PORT,),
        host_ports={} if port is None else {REST_PORT: port},
        tmpfs=("/tmp",),
        memory_bytes=memory,
    )


def start(container: Container) -> ContainerServer:
    """Start ``container``; raise ServerStartError or PortTakenError where the engine cannot."""
    started = time.monotonic()
    container.start()
    return ContainerServer(container, started=started)
