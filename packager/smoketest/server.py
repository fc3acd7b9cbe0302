"""A server under test, seen the same way whether it is a process or a container."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Protocol

LOAD_ONCE = "--max_num_load_retries=0"
"""The server's flag without which it tries a bad model six times, in five minutes."""

PATIENCE = 10.0
"""Seconds between SIGTERM and SIGKILL, as Docker has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerExit:
    """How a server ended; a death by signal ``n`` counts as exit code ``128 + n``, as shells do."""

    exit_code: int | None
    out_of_memory: bool = False
    error: str = ""
    """What the engine says about it, where it says anything."""

    def __str__(self) -> str:
        cause = "out of memory, " if self.out_of_memory else ""
        remark = f": {self.error}" if self.error else ""
        return f"{cause}exit code {self.exit_code}{_signal_name(self.exit_code)}{remark}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUsage:
    """What a server has used of the machine."""

    memory_bytes: int
    """A container's memory now, without the page cache; the most of a process that was resident."""
    cpu_s: float
    """Processor seconds since its start."""


class RunningServer(Protocol):
    """A server that was started, and that whoever started it will end."""

    @property
    def mode(self) -> str:
        """``container`` or ``process``."""

    @property
    def started(self) -> float:
        """When it was started, on the monotonic clock."""

    def rest_url(self) -> str | None:
        """Return where REST is served, ``None`` while nothing there can be this server's answer."""

    def grpc_address(self) -> str | None:
        """Return where gRPC is served (``127.0.0.1:8500``), ``None`` where it is not."""

    def exit(self) -> ServerExit | None:
        """Return how it ended, ``None`` while it runs."""

    def logs(self) -> str:
        """Return what it has written so far, the last part of it where that is long."""

    def usage(self) -> ServerUsage | None:
        """Return what it has used of the machine, ``None`` where nothing tells."""

    def stop(self, patience: float) -> ServerExit:
        """Send SIGTERM, after ``patience`` seconds SIGKILL, and return how it ended."""


def _signal_name(exit_code: int | None) -> str:
    try:
        return f" ({signal.Signals((exit_code or 0) - 128).name})"
    except ValueError:
        return ""
