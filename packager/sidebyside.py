"""Work done side by side in threads: digests and transfers, during which Python lets other threads run."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

CORES = min(os.cpu_count() or 1, 8)

_GRACE = 1.0
_NAME = "packager-side-by-side"


class StoppedError(BaseException):
    """Another task failed, or the user would not wait: this one need not be finished."""


class Stop:
    """Whether tasks should end. They ask between two pieces of work."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Have the tasks end."""
        self._event.set()

    def check(self) -> None:
        """Raise StoppedError in a task that should end."""
        if self._event.is_set():
            raise StoppedError


def side_by_side(
    tasks: Sequence[Callable[[Stop], T]], *, workers: int = CORES, patient: bool = False
) -> list[T]:
    """Run ``tasks`` in at most so many threads; return what they return, in their order.

    Raises what the first one to fail has raised. Then, and at Ctrl-C, none is begun any more, and those that
    run are told to stop, and get a second for it: one may be waiting for somebody who never answers. If
    ``patient``, they are waited for, so that they can clean up.
    """
    stop = Stop()
    waiting = queue.SimpleQueue[tuple[int, Callable[[Stop], T]]]()
    ended = queue.SimpleQueue[tuple[int, T] | BaseException]()
    for numbered in enumerate(tasks):
        waiting.put(numbered)

    def work() -> None:
        while not waiting.empty():
            try:
                number, task = waiting.get_nowait()
                stop.check()
                ended.put((number, task(stop)))
            except queue.Empty:  # another thread was quicker
                return
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
                ended.put(error)
                stop.set()

    threads = [
        threading.Thread(target=work, name=_NAME, daemon=True) for _ in range(min(workers, len(tasks)))
    ]
    results: dict[int, T] = {}
    try:
        for thread in threads:
            thread.start()
        while len(results) < len(tasks):
            outcome = ended.get()
            if isinstance(outcome, BaseException):
                raise outcome
            results[outcome[0]] = outcome[1]
    finally:
        stop.set()
        deadline = time.monotonic() + _GRACE
        for thread in threads:
            if thread.ident is not None:  # an interruption can come before all have begun
                thread.join(None if patient else max(0.0, deadline - time.monotonic()))
    return [results[number] for number in range(len(tasks))]


def work_goes_on() -> bool:
    """Tell whether a task is left that nobody waits for.

    Then a process must not end in the ordinary way, which takes the ground from under a thread that is in
    OpenSSL: such a process crashes.
    """
    return any(thread.name == _NAME for thread in threading.enumerate())
