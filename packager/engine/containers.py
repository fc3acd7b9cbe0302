"""Containers: locked down by default, created and removed by us, never by the engine's auto-remove.

A container that dies at start keeps its logs until they have been read.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from docker import APIClient
from docker.errors import ImageNotFound, NotFound
from docker.types import DeviceRequest

from packager.engine.creation import Creation
from packager.engine.failures import image_missing, start_failure, translated
from packager.errors import ImageNotFoundError, ServerStartError

LOOPBACK = "127.0.0.1"
NAME_PREFIX = "packager-"
LABEL = "org.tfserving-packager.container"
"""On every container of ours, with its name as value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """What to run and what it may do. The defaults allow a server that only computes."""

    image: str
    arguments: tuple[str, ...] = ()
    """Appended to the image's entry point."""
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    """Container ports, each published on 127.0.0.1: at a free port, or where ``host_ports`` says."""
    host_ports: Mapping[int, int] = field(default_factory=dict)
    read_only: bool = True
    user: str | None = None
    drop_capabilities: bool = True
    no_new_privileges: bool = True
    memory_bytes: int | None = None
    """Limit of memory, with no swap beyond it."""
    pids_limit: int | None = 512
    tmpfs: tuple[str, ...] = ()
    """Paths that are writable though the rest is not, in memory."""
    labels: Mapping[str, str] = field(default_factory=dict)
    network: str | None = None
    """Name of a network, the engine's default one where ``None``."""
    gpus: int | None = None
    """How many GPUs it gets; -1 are all."""

    def __post_init__(self) -> None:
        if unpublished := self.host_ports.keys() - set(self.ports):
            raise ValueError(f"host ports for container ports that are not published: {sorted(unpublished)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerState:
    """How a container is doing."""

    running: bool
    exit_code: int | None
    """``None`` before the start and while it runs."""
    oom_killed: bool
    """Whether the kernel killed a process of it at its memory limit, the first one or another."""
    error: str
    health: str | None = None
    """``starting``, ``healthy`` or ``unhealthy`` by the image's own check, ``None`` where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerUsage:
    """What a container has used of the machine."""

    memory_bytes: int
    """Now, without files in the page cache that the kernel can drop."""
    cpu_s: float
    """Processor seconds since its start."""


class Container:
    """A container that exists; ``Engine.container`` made it and will remove it."""

    def __init__(self, client: APIClient, container_id: str) -> None:
        self._client = client
        self.id = container_id

    def start(self) -> None:
        """Start it, or raise ServerStartError with the engine's reason, or PortTakenError."""
        with translated("starting the container", explain=start_failure):
            self._client.start(self.id)

    def port(self, container_port: int) -> int:
        """Return the port of 127.0.0.1 that leads to ``container_port``.

        Raises ServerStartError where nothing does, as when the container has ended.
        """
        published = self._inspect()["NetworkSettings"]["Ports"].get(f"{container_port}/tcp") or ()
        for binding in published:
            return int(binding["HostPort"])
        raise ServerStartError(
            f"port {container_port} of the container is not published: it has ended, or was never started",
            details=self.logs(tail=50),
        )

    def state(self) -> ContainerState:
        """Return how it is doing now."""
        state = self._inspect()["State"]
        deadline = time.monotonic() + _HEARSAY
        while _may_lack_memory(state) and time.monotonic() < deadline:
            time.sleep(0.05)
            state = self._inspect()["State"]
        ended = state["Status"] in ("exited", "dead")
        return ContainerState(
            running=state["Running"],
            exit_code=state["ExitCode"] if ended else None,
            oom_killed=state["OOMKilled"],
            error=state["Error"],
            health=(state.get("Health") or {}).get("Status"),
        )

    def logs(self, tail: int | None = None) -> str:
        """Return what it wrote to stdout and stderr so far, or the last ``tail`` lines of it."""
        with translated("reading the container's log"):
            log: bytes = self._client.logs(self.id, tail="all" if tail is None else tail)
        return log.decode("utf-8", errors="replace")

    def usage(self) -> ContainerUsage | None:
        """Return what it uses, ``None`` where it has ended or the engine does not tell."""
        with translated("measuring the container"):
            stats = self._client.stats(self.id, stream=False, one_shot=True)
        memory = stats.get("memory_stats") or {}
        if "usage" not in memory:
            return None
        details = memory.get("stats") or {}  # cgroup v1 and v2 name it differently
        droppable = details.get("total_inactive_file", details.get("inactive_file", 0))
        return ContainerUsage(
            memory_bytes=max(0, memory["usage"] - droppable),
            cpu_s=stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
        )

    def archive(self, path: str) -> Iterator[bytes]:
        """Yield a file or folder of it as a tar stream; the container need not be started.

        Raises ImageNotFoundError where there is no such path.
        """
        with translated(f"reading {path!r} from the container"):
            try:
                stream, _ = self._client.get_archive(self.id, path)
            except NotFound:
                raise ImageNotFoundError(f"the image holds no {path!r}") from None
            yield from stream

    def stop(self, timeout: float = 10) -> ContainerState:
        """Ask it to end, kill it after ``timeout`` seconds, and return how it ended."""
        with translated("stopping the container"):
            self._client.stop(self.id, timeout=math.ceil(timeout))
        return self.state()

    def _inspect(self) -> Any:
        with translated("inspecting the container"):
            return self._client.inspect_container(self.id)


_KILLED = 137
"""The exit code of a process that was ended by SIGKILL."""
_HEARSAY = 0.5
"""Seconds in which an engine learns why a process was killed: not from where it learns that it has ended."""


def _may_lack_memory(state: Any) -> bool:
    return state["Status"] == "exited" and state["ExitCode"] == _KILLED and not state["OOMKilled"]


@contextmanager
def created_container(client: APIClient, spec: ContainerSpec) -> Iterator[Container]:
    """Create the container of ``spec``; remove it at the end, by a name that was ours before it existed.

    An interruption while the engine creates it leaves a container whose ID nobody has been told.
    """
    name = f"{NAME_PREFIX}{secrets.token_hex(8)}"
    creation = Creation()
    try:
        with translated("creating the container"):
            try:
                with creation.asked():
                    created = _create(client, spec, name)
            except ImageNotFound:
                raise image_missing(spec.image) from None
        yield Container(client, created["Id"])
    finally:
        with translated(f"removing the container {name!r}"):
            creation.undo(lambda: client.remove_container(name, force=True, v=True))


def _create(client: APIClient, spec: ContainerSpec, name: str) -> Any:
    return client.create_container(
        spec.image,
        command=list(spec.arguments) or None,
        name=name,
        environment=dict(spec.environment),
        user=spec.user,
        ports=list(spec.ports),
        labels={LABEL: name, **spec.labels},
        host_config=client.create_host_config(
            port_bindings={port: (LOOPBACK, spec.host_ports.get(port)) for port in spec.ports},
            read_only=spec.read_only,
            cap_drop=["ALL"] if spec.drop_capabilities else None,
            security_opt=["no-new-privileges"] if spec.no_new_privileges else None,
            mem_limit=spec.memory_bytes,
            memswap_limit=spec.memory_bytes,
            pids_limit=spec.pids_limit,
            tmpfs=dict.fromkeys(spec.tmpfs, ""),
            network_mode=spec.network,
            device_requests=_gpus(spec.gpus),
        ),
    )


def _gpus(count: int | None) -> list[DeviceRequest] | None:
    return None if count is None else [DeviceRequest(count=count, capabilities=[["gpu"]])]
