"""A serving image as a container under test."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from packager.errors import ServerStartError
from packager.smoketest.server import LOAD_ONCE, ServerExit, ServerUsage

if TYPE_CHECKING:
    from packager.engine import Container, ContainerSpec, ContainerState, EngineImage

GRPC_PORT, REST_PORT = 8500, 8501
"""Where TensorFlow Serving's images serve, by their entry point."""

_LOG_TAIL = 2000

_ROOT = ("", "0", "root")
_NOBODY = "65532:65532"
"""Whom an image runs as that would run as root: what it serves needs no user of its own."""


class ContainerServer:
    """A container that was started; its ports are published on the loopback only."""

    mode = "container"

    def __init__(self, container: Container, *, started: float) -> None:
        self.started = started
        self._container = container

    def rest_url(self) -> str | None:
        """Return the published address, ``None`` where the container has ended and lost it."""
        address = self._address(REST_PORT)
        return None if address is None else f"http://{address}"

    def grpc_address(self) -> str | None:
        """Return the published address, ``None`` where the container has ended and lost it."""
        return self._address(GRPC_PORT)

    def exit(self) -> ServerExit | None:
        """Return how the container ended, ``None`` while it runs."""
        state = self._container.state()
        return None if state.running else _exit(state)

    def logs(self) -> str:
        """Return the last lines that the container wrote."""
        return self._container.logs(tail=_LOG_TAIL)

    def usage(self) -> ServerUsage | None:
        """Return what the engine measured."""
        usage = self._container.usage()
        if usage is None:
            return None
        return ServerUsage(memory_bytes=usage.memory_bytes, cpu_s=usage.cpu_s)

    def stop(self, patience: float) -> ServerExit:
        """Let the engine end the container."""
        return _exit(self._container.stop(patience))

    def _address(self, port: int) -> str | None:
        try:
            return f"127.0.0.1:{self._container.port(port)}"
        except ServerStartError:
            return None


def container_spec(
    image: EngineImage,
    *,
    port: int | None,
    memory: int | None = None,
    gpus: int | None = None,
    network: str | None = None,
    labels: Mapping[str, str] = MappingProxyType({}),
    flags: Sequence[str] = (),
) -> ContainerSpec:
    """Describe a container of ``image`` for one smoke test: it can compute, not as root, and no more."""
    from packager.engine import ContainerSpec  # loads the docker SDK, which model folders do without

    return ContainerSpec(
        image=image.id,
        user=_NOBODY if image.user.partition(":")[0] in _ROOT else None,
        arguments=(LOAD_ONCE, *flags),
        ports=(GRPC_PORT, REST_PORT),
        host_ports={} if port is None else {REST_PORT: port},
        tmpfs=("/tmp",),
        memory_bytes=memory,
        gpus=gpus,
        network=network,
        labels=labels,
    )


def start(container: Container) -> ContainerServer:
    """Start ``container``; raise ServerStartError or PortTakenError where the engine cannot."""
    started = time.monotonic()
    container.start()
    return ContainerServer(container, started=started)


def _exit(state: ContainerState) -> ServerExit:
    return ServerExit(exit_code=state.exit_code, out_of_memory=state.oom_killed, error=state.error)
