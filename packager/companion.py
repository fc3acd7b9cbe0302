"""Work beside this process, in one that is forked from it while it is small.

A thread would need the interpreter's lock for every block that it handles, and take turns with whatever
imports TensorFlow or traces a graph. A process that is started afresh would have to import again what this
one has. Fork before other threads are there: a lock that one of them holds is held for ever in the copy.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

from packager.errors import ModelLoadError


class Companion:
    """A process that runs one function."""

    def __init__(self, process: Any, channel: Connection, doing: str) -> None:
        self._process, self._channel, self._doing = process, channel, doing

    def tell(self, message: Any) -> None:
        """Give its function what that receives from its channel; it must be picklable."""
        with contextlib.suppress(ConnectionError):  # what became of it, the result tells
            self._channel.send(message)

    def done(self, seconds: float) -> bool:
        """Wait for its function to end, so long at most; tell whether it has."""
        return self._channel.poll(seconds)

    def result(self) -> Any:
        """Wait for what its function returns, or raise what that raises.

        Raises ModelLoadError where the process was ended from outside.
        """
        try:
            value, error = self._channel.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            status = self._process.exitcode or 0
            how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"exited with {status}"
            raise ModelLoadError(
                f"{self._doing}: the process {how}", hint="it may have run out of memory: see dmesg"
            ) from None
        self._process.join()
        if error is not None:
            raise error
        return value

    def end(self) -> None:
        """End it, whatever it is at."""
        self._process.kill()
        self._process.join()


@contextlib.contextmanager
def companion(function: Callable[[Connection], Any], *, doing: str) -> Iterator[Companion]:
    """Run ``function`` in a process of its own, which ends with the ``with`` block, and with this process.

    It is given a channel, over which comes what is told.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(function, theirs, ours), daemon=True)
    process.start()
    theirs.close()
    beside = Companion(process, ours, doing)
    try:
        yield beside
    finally:
        beside.end()
        ours.close()


def _run(function: Callable[[Connection], Any], channel: Connection, other_end: Connection) -> None:
    die_with_parent()
    other_end.close()  # else the channel would not end with that process
    answer: tuple[Any, Exception | None]
    try:
        answer = (function(channel), None)
    except Exception as error:  # noqa: BLE001 - it is raised again where the result is asked for
        answer = (None, error)
    with contextlib.suppress(ConnectionError):  # nobody wants to know any more
        channel.send(answer)


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, however it dies (prctl(2), PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
