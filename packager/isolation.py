"""Running a function in a process of its own: a crash there is an error here, and its memory is given back.

The child is a fresh interpreter, not a fork: TensorFlow's threads do not survive a fork, and a parent
that was asked only for help text must not have to import it. Requests, events, results and errors travel
as pickles between two processes of one user over private pipes.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, TypeVar

from packager.companion import die_with_parent
from packager.errors import ModelLoadError, PackagerError
from packager.progress import Event, Report, silent

T = TypeVar("T")

_GLANCE = 0.1
"""Seconds between two looks at the child's memory."""
_PATIENCE = 5.0
"""Seconds to wait for what the child forked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a child may take; one that takes more is ended.

    Memory is watched, not capped with RLIMIT_AS: TensorFlow reserves address space by the gigabyte and uses
    little of it, and of what it uses most is its libraries. Where there is no /proc, memory is not limited.
    """

    seconds: float
    memory: int
    """Bytes that are the child's own, of no file."""


class ChildBugError(Exception):
    """Something in the child raised what is no PackagerError; holds the child's traceback."""


def run_isolated(
    function: Callable[..., T],
    /,
    *args: Any,
    report: Report = silent,
    environment: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    doing: str = "loading the model",
) -> T:
    """Call ``function(*args, report=…)`` in a child process and return what it returns.

    ``function`` must be importable by module and name. A PackagerError that it raises is raised here;
    when the process dies instead, or takes more than ``limits`` allow, a ModelLoadError says so, with the
    end of what it wrote. The child never outlives this call, nor this process, and nothing that it puts
    among the temporary files outlives the child.
    """
    with started(environment=environment) as child:
        return child.run(function, *args, report=report, limits=limits, doing=doing)


@contextlib.contextmanager
def started(
    prepare: Callable[[], None] | None = None, *, environment: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """Start a child process ahead of what it is to run; until that is told first, it calls ``prepare``.

    ``prepare`` must be importable by module and name. The child ends with the ``with`` block, whatever it is
    at, and is otherwise as that of ``run_isolated``.
    """
    preparation = [] if prepare is None else [prepare.__module__, prepare.__qualname__]
    with (
        tempfile.TemporaryDirectory(prefix="packager-") as scratch,
        tempfile.TemporaryFile() as log,
        _channel() as (ours, theirs),
    ):
        process = subprocess.Popen(
            [sys.executable, "-m", "packager.isolation", str(theirs.fileno()), *preparation],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[theirs.fileno()],
            env={**os.environ, **(environment or {}), "TMPDIR": scratch},
            start_new_session=True,  # Ctrl-C is the parent's to handle: it ends the child itself
        )
        theirs.close()
        try:
            yield Child(process, ours, log)
        finally:
            process.kill()
            process.wait()
            _wait_for_end(ours)


def _wait_for_end(channel: Any) -> None:
    """Wait until nobody has the other end: what the child forked is killed with it, but a moment later."""
    with contextlib.suppress(EOFError, OSError):
        while channel.poll(_PATIENCE):
            channel.recv_bytes()


class Child:
    """A process that was started to run functions, one after the other."""

    def __init__(self, process: subprocess.Popen[bytes], channel: Any, log: IO[bytes]) -> None:
        self._process, self._channel, self._log = process, channel, log

    def run(
        self,
        function: Callable[..., T],
        /,
        *args: Any,
        report: Report = silent,
        environment: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        doing: str = "loading the model",
    ) -> T:
        """Call ``function(*args, report=…)`` there, as ``run_isolated`` does.

        ``environment`` has variables that were not known yet when the process was started.
        """
        request = (function.__module__, function.__qualname__, args, dict(environment or {}))
        try:
            answer: T = _converse(self._channel, request, report, _Watch(self._process.pid, limits, doing))
        except EOFError:
            raise _death(self._process.wait(), self._log, doing) from None
        return answer


@contextlib.contextmanager
def _channel() -> Iterator[tuple[Any, Any]]:
    ours, theirs = Pipe(duplex=True)
    with contextlib.closing(ours), contextlib.closing(theirs):
        yield ours, theirs


class _Watch:
    """Looks at a child while it works, and raises ModelLoadError where it takes too much."""

    def __init__(self, pid: int, limits: Limits | None, doing: str) -> None:
        self._pid, self._limits, self._doing = pid, limits, doing
        self._began = time.monotonic()

    def look(self) -> None:
        """Compare what the child has taken with what it may."""
        if self._limits is None:
            return
        if time.monotonic() - self._began > self._limits.seconds:
            raise ModelLoadError(
                f"{self._doing}: not done after {self._limits.seconds:.0f} s",
                hint=f"--load-timeout {math.ceil(2 * self._limits.seconds)} gives it more time",
            )
        taken = _own_memory(self._pid)
        if taken > self._limits.memory:
            raise ModelLoadError(
                f"{self._doing}: takes more than {self._limits.memory / 1e9:.1f} GB of memory",
                hint=f"--load-memory {math.ceil(2 * self._limits.memory / 1e9)}GB gives it more",
            )


def _own_memory(pid: int) -> int:
    """Return the bytes of memory that are a process's own, swapped out or not; 0 where nothing tells."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:  # it is gone, or this is no Linux
        return 0
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return 1024 * sum(int(fields[name].split()[0]) for name in ("RssAnon", "VmSwap") if name in fields)


def _converse(ours: Any, request: Any, report: Report, watch: _Watch) -> Any:
    """Send the request, pass events on, and return the result or raise the error."""
    try:
        ours.send(request)
        while True:
            while not ours.poll(_GLANCE):
                watch.look()
            kind, value = ours.recv()
            if kind == "event":
                report(value)
            elif kind == "result":
                return value
            elif kind == "error":
                raise value
            else:
                raise ChildBugError(value)
    except ConnectionError as error:
        raise EOFError from error


def _death(status: int, log: IO[bytes], doing: str) -> ModelLoadError:
    log.seek(max(0, os.fstat(log.fileno()).st_size - 8000))
    how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"exited with status {status}"
    hint = "it may have run out of memory: see dmesg" if status == -signal.SIGKILL else None
    return ModelLoadError(
        f"{doing}: the process {how}", hint=hint, details=log.read().decode("utf-8", "replace").strip()
    )


def _serve(descriptor: int, preparation: Sequence[str]) -> None:
    """Prepare for, and then answer, the requests that come over ``descriptor``, until no more can."""
    channel: Any = Connection(descriptor)

    def tell(event: Event) -> None:
        channel.send(("event", event))

    if preparation:
        module, name = preparation
        getattr(importlib.import_module(module), name)()
    with contextlib.suppress(EOFError):
        while True:
            channel.send(_answer(channel.recv(), tell))


def _answer(request: Any, tell: Report) -> tuple[str, Any]:
    module, name, args, environment = request
    os.environ.update(environment)
    try:
        return "result", getattr(importlib.import_module(module), name)(*args, report=tell)
    except PackagerError as error:
        return "error", error
    except Exception:  # noqa: BLE001 - it is raised again in the parent, as the bug that it is
        return "bug", traceback.format_exc()


if __name__ == "__main__":
    die_with_parent()
    _serve(int(sys.argv[1]), sys.argv[2:])
    sys.stdout.flush()
    os._exit(0)  # tearing TensorFlow down takes longer than there is anything left to do
