"""The embedded server as a process of its own: started on a loopback port, and always ended."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO

from packager.errors import PortTakenError
from packager.runtime import server_environment
from packager.smoketest.server import PATIENCE, ServerExit, ServerUsage

LOOPBACK = "127.0.0.1"

_LOG_TAIL = 256 * 1024
_PORT_IS_OURS = "Exporting HTTP/REST API"
"""What the server logs once it listens. Until then an answer at its port is somebody else's."""


class ProcessServer:
    """A server process with its log in a file that has no name."""

    mode = "process"

    def __init__(
        self, process: subprocess.Popen[bytes], *, log: IO[bytes], rest_port: int, grpc_port: int
    ) -> None:
        self.started = time.monotonic()
        self.pid = process.pid
        self._process = process
        self._log = log
        self._rest_port = rest_port
        self._grpc_port = grpc_port

    def rest_url(self) -> str | None:
        """Return the address, ``None`` until the log tells that this process has the port."""
        return f"http://{LOOPBACK}:{self._rest_port}" if _PORT_IS_OURS in self.logs() else None

    def grpc_address(self) -> str | None:
        """Return the address, ``None`` where the process serves no gRPC."""
        return f"{LOOPBACK}:{self._grpc_port}" if self._grpc_port else None

    def exit(self) -> ServerExit | None:
        """Return how the process ended, ``None`` while it runs."""
        code = self._process.poll()
        return None if code is None else _exit(code)

    def logs(self) -> str:
        """Return the last 256 KiB of what it wrote to stdout and stderr."""
        descriptor = self._log.fileno()
        start = max(0, os.fstat(descriptor).st_size - _LOG_TAIL)
        return os.pread(descriptor, _LOG_TAIL, start).decode("utf-8", "replace")

    def usage(self) -> ServerUsage | None:
        """Return what ``/proc`` tells, where the system has it and the process still runs."""
        folder = Path(f"/proc/{self.pid}")
        try:
            status, times = (folder / "status").read_text("ascii"), (folder / "stat").read_text("ascii")
        except OSError:
            return None
        resident = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        # proc(5): utime and stime are fields 14 and 15; the second field, a name, may hold spaces.
        user, system = times.rpartition(")")[2].split()[11:13]
        return resident and ServerUsage(
            memory_bytes=int(resident[1]) * 1024,
            cpu_s=(int(user) + int(system)) / os.sysconf("SC_CLK_TCK"),
        )

    def stop(self, patience: float) -> ServerExit:
        """Ask the process group to end; kill it when it does not, or when the user interrupts the waiting."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        finally:
            if self._process.poll() is None:
                os.killpg(self.pid, signal.SIGKILL)
            code = self._process.wait()
        return _exit(code)

    def remains(self) -> tuple[str, ...]:
        """Name what still runs of it, once it has ended: children that it did not end."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return ()
        return (f"process group {self.pid}",)


@contextmanager
def run_process(command: Sequence[str], *, rest_port: int, grpc_port: int = 0) -> Iterator[ProcessServer]:
    """Run ``command``, which serves at these ports (0: not at all), and end it whatever happens.

    It gets a session of its own: Ctrl-C in the terminal reaches packager alone, which then ends the server.
    """
    server = None
    with tempfile.TemporaryFile() as log:
        try:
            with _interruptions_held():
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**server_environment(), "PYTHONUNBUFFERED": "1"},
                    start_new_session=True,
                )
                server = ProcessServer(process, log=log, rest_port=rest_port, grpc_port=grpc_port)
            yield server
        finally:
            if server is not None and server.exit() is None:
                server.stop(PATIENCE)


def free_port(*, but: int = 0) -> int:
    """Return a loopback port, another one than ``but``, that nobody listened on just now."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        port: int = listener.getsockname()[1]
    return free_port(but=but) if port == but else port


def check_free(port: int) -> int:
    """Return ``port`` if it can be listened on, or raise PortTakenError."""
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError as error:
        raise PortTakenError(
            f"port {port} is not to be had: {error.strerror}",
            hint="leave the port out to get a free one, or name another",
        ) from error
    return port


def _exit(code: int) -> ServerExit:
    return ServerExit(exit_code=code if code >= 0 else 128 - code)


@contextmanager
def _interruptions_held() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait until the block is done: a process must not start unknown to us."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is ever interrupted
        return
    arrived: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        arrived.append(number)

    handlers = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for held, handler in handlers.items():
            signal.signal(held, handler)
        for number in arrived:
            signal.raise_signal(number)
