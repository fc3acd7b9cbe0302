"""The threads that answer gRPC requests."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Workers(Executor):
    """Has work done by a bounded number of threads, each woken alone: the one that was idle last.

    Of the threads of a ThreadPoolExecutor each wakes another one to look for more work, and Python runs
    one of them at a time: that is a tenth of what a small request takes.
    """

    def __init__(self, threads: int) -> None:
        """Have at most so many threads; they start when they are needed."""
        self._lock = threading.Lock()
        self._to_start = threads
        self._idle: list[_Worker] = []
        self._waiting: deque[Callable[[], None]] = deque()

    def submit(self, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """Have a function called by the next thread that is free."""
        future: Future[T] = Future()

        def work() -> None:
            try:
                result = function(*arguments, **named)
            except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            if self._idle:
                self._idle.pop().take(work)
            elif self._to_start:
                self._to_start -= 1
                _Worker(self._next).take(work)
            else:
                self._waiting.append(work)
        return future

    def _next(self, worker: _Worker) -> Callable[[], None] | None:
        """Return what to do next; a worker that gets nothing is idle from now on."""
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._idle.append(worker)
            return None


class _Worker:
    """A thread that does what it is given, and what else there is, and waits."""

    def __init__(self, more: Callable[[_Worker], Callable[[], None] | None]) -> None:
        self._more = more
        self._given: Any = None
        self._woken = threading.Lock()
        self._woken.acquire()
        threading.Thread(target=self._run, name="grpc", daemon=True).start()

    def take(self, work: Callable[[], None]) -> None:
        """Do this; only for a worker that is idle."""
        self._given = work
        self._woken.release()

    def _run(self) -> None:
        while True:
            self._woken.acquire()
            work, self._given = self._given, None
            while work:
                work()
                work = self._more(self)
