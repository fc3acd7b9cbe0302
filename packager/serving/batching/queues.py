"""Queues of tasks that wait to become a batch, and the threads that run batches."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from packager.serving.batching.parameters import BatchingParameters
from packager.serving.log import log
from packager.serving.native.tensors import Tensor
from packager.serving.status import Code, StatusError, invalid_argument

Outputs = dict[str, Tensor]


@dataclass(slots=True, kw_only=True, eq=False)
class Task:
    """What one client wants to be run."""

    inputs: dict[str, Tensor]
    size: int
    deadline: float = math.inf
    """By the monotonic clock."""
    since: float = field(default_factory=time.monotonic)
    """When it began to wait."""
    outputs: Future[Outputs] = field(default_factory=Future)


@dataclass(slots=True, eq=False)
class _Batch:
    tasks: list[Task] = field(default_factory=list)
    size: int = 0
    began: float = field(default_factory=time.monotonic)


Process = Callable[[Sequence[Task]], None]
"""Runs tasks as one batch and gives each its outputs, or raises StatusError."""


class Queue:
    """The tasks for one signature of a model. All but the last of its batches are closed."""

    def __init__(self, process: Process, parameters: BatchingParameters) -> None:
        self.process = process
        self._parameters = parameters
        self._batches: deque[_Batch] = deque()

    def add(self, tasks: Sequence[Task]) -> None:
        """Take the parts of a request, or raise StatusError."""
        self._check_room(sum(task.size for task in tasks))
        for task in tasks:
            fits = self._batches and (
                self._batches[-1].size + task.size <= self._parameters.max_execution_batch_size
            )
            if not fits:
                self._batches.append(_Batch())
            self._batches[-1].tasks.append(task)
            self._batches[-1].size += task.size

    def due(self) -> float:
        """Return when the next batch may run: a time in the past is now."""
        if not self._batches:
            return math.inf
        first = self._batches[0]
        full = len(self._batches) > 1 or first.size >= self._parameters.max_execution_batch_size
        return first.began if full else first.began + self._parameters.timeout

    def take(self) -> _Batch:
        """Take the first batch out."""
        return self._batches.popleft()

    def room_in_open_batch(self) -> int:
        """Return how many rows the last batch has room for."""
        limit = self._parameters.max_execution_batch_size
        return limit - self._batches[-1].size if self._batches else limit

    def _check_room(self, size: int) -> None:
        parameters, enqueued = self._parameters, max(len(self._batches), 1)
        if size > parameters.max_batch_size:
            raise invalid_argument(
                f"Task size {size} is larger than maximum input batch size {parameters.max_batch_size}"
            )
        full = "The batch scheduling queue to which this task was submitted is full; "
        limit, room = parameters.max_execution_batch_size, self.room_in_open_batch()
        if parameters.split_large:
            capacity = max(parameters.max_enqueued_batches - enqueued, 0) * limit + room
            if size > capacity:
                raise StatusError(
                    Code.UNAVAILABLE,
                    f"{full}task size is {size} but scheduling capacity is only {capacity} "
                    f"(num_enqueued_batches={enqueued}, "
                    f"max_enqueued_batches={parameters.max_enqueued_batches}, "
                    f"open_batch_size={limit - room}, max_execution_batch_size={limit})",
                )
        elif size > room and enqueued >= parameters.max_enqueued_batches:
            raise StatusError(
                Code.UNAVAILABLE,
                f"{full}currently {enqueued} batches enqueued and max_enqueued_batches is "
                f"{parameters.max_enqueued_batches}",
            )


class Scheduler:
    """The threads that run the batches of all queues, the one that has waited longest first."""

    def __init__(self, threads: int) -> None:
        self._changed = threading.Condition()
        self._waiting: set[Queue] = set()
        for _ in range(threads):
            threading.Thread(target=self._work, name="batch", daemon=True).start()

    def schedule(self, queue: Queue, parts: Callable[[int], Sequence[Task]]) -> Sequence[Task]:
        """Put a request into a queue, in the parts that ``parts`` makes for the room in its open batch."""
        with self._changed:
            tasks = parts(queue.room_in_open_batch())
            queue.add(tasks)
            self._waiting.add(queue)
            self._changed.notify()
        return tasks

    def _work(self) -> None:
        while True:
            queue, batch = self._next()
            try:
                queue.process(batch.tasks)
            except StatusError as error:
                _fail(batch.tasks, error)
            except Exception as bug:  # noqa: BLE001 - a bug is answered, and logged
                log.exception("Running a batch failed")
                _fail(batch.tasks, StatusError(Code.INTERNAL, repr(bug)))

    def _next(self) -> tuple[Queue, _Batch]:
        """Wait until a batch may run, and take it."""
        with self._changed:
            while True:
                queue = min(self._waiting, key=Queue.due, default=None)
                wait = queue.due() - time.monotonic() if queue else None
                if queue and wait is not None and wait <= 0:
                    break
                self._changed.wait(wait)
            batch = queue.take()
            if queue.due() == math.inf:
                self._waiting.discard(queue)
            else:
                self._changed.notify()
            return queue, batch


def _fail(tasks: Sequence[Task], error: StatusError) -> None:
    for task in tasks:
        if not task.outputs.done():
            task.outputs.set_exception(StatusError(error.code, error.message))
