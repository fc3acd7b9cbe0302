"""A session whose runs wait for each other, to run as one batch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packager.serving.batching.parameters import (
    BatchingParameters,
    check_sizes,
    check_threads,
    read_batching_parameters,
)
from packager.serving.batching.queues import Queue, Scheduler, Task
from packager.serving.batching.tensors import batch_size, check_output, joined, merged, split
from packager.serving.metrics import Metrics
from packager.serving.native.dtypes import DType
from packager.serving.native.servable import Runner
from packager.serving.native.signatures import Signature
from packager.serving.native.tensors import Tensor
from packager.serving.status import Code, StatusError

OF_A_MODEL = "batching_params.pbtxt"
"""The file of a model's own parameters, beside its SavedModel."""


class Batching:
    """Batches the runs of all models, in threads that they share."""

    def __init__(
        self, parameters: BatchingParameters, *, per_model: bool = False, metrics: Metrics | None = None
    ) -> None:
        """Start the threads, or raise StatusError. ``per_model`` has each model bring its parameters."""
        check_threads(parameters)
        self._parameters = parameters
        self._per_model = per_model
        self._metrics = metrics
        self._scheduler = Scheduler(parameters.threads)

    def wrap(self, session: Runner, signatures: Mapping[str, Signature], folder: Path) -> Runner:
        """Return a session that batches, or raise StatusError."""
        parameters = self._parameters
        if self._per_model:
            own = folder / OF_A_MODEL
            if not own.is_file():
                return session
            parameters = read_batching_parameters(str(own))
        check_sizes(parameters)
        return BatchingSession(session, signatures.values(), parameters, self._scheduler, self._metrics)


@dataclass(frozen=True, slots=True)
class _Batched:
    """What of the graph is run in batches: the tensors that a signature feeds and fetches."""

    dtypes: Mapping[str, DType]
    fetches: tuple[str, ...]
    queue: Queue


class BatchingSession:
    """Runs the declared signatures in batches, and anything else by itself."""

    quick = False
    """Runs wait for others."""

    def __init__(
        self,
        session: Runner,
        signatures: Iterable[Signature],
        parameters: BatchingParameters,
        scheduler: Scheduler,
        metrics: Metrics | None = None,
    ) -> None:
        self._session = session
        self._metrics = metrics
        self._parameters = parameters
        self._scheduler = scheduler
        self._batched: dict[tuple[frozenset[str], frozenset[str]], _Batched] = {}
        for signature in signatures:
            dtypes = {info.name: info.dtype for info in signature.inputs.values()}
            fetches = tuple(sorted({info.name for info in signature.outputs.values()}))
            queue = Queue(self._processor(fetches), parameters)
            self._batched[frozenset(dtypes), frozenset(fetches)] = _Batched(dtypes, fetches, queue)

    def run(
        self, feeds: Sequence[tuple[str, Tensor]], fetches: Sequence[str], *, timeout_ms: int = 0
    ) -> list[Tensor]:
        """Run in a batch with others. Raises StatusError with TensorFlow's or the batching's words."""
        inputs = dict(feeds)
        batched = self._batched.get((frozenset(inputs), frozenset(fetches)))
        if batched is None:
            return self._session.run(feeds, fetches, timeout_ms=timeout_ms)
        size = batch_size(feeds)
        # What the graph will refuse, for its type, must not take others with it
        alike = all(tensor.dtype is batched.dtypes[name] for name, tensor in feeds)
        if size == 0 or not alike:
            return self._session.run(feeds, fetches, timeout_ms=timeout_ms)
        if self._metrics:
            self._metrics.note_batched_inputs(len(feeds), size)
        deadline = time.monotonic() + timeout_ms / 1000 if timeout_ms else math.inf
        task = Task(inputs=inputs, size=size, deadline=deadline)
        tasks = self._scheduler.schedule(batched.queue, lambda room: self._parts(task, room))
        parts = [part.outputs.result() for part in tasks]
        outputs = parts[0] if len(parts) == 1 else joined(parts)
        return [outputs[name] for name in fetches]

    def close(self) -> None:
        """Free the session. No run may be under way, so no task is left."""
        self._session.close()

    def _parts(self, task: Task, room: int) -> Sequence[Task]:
        """Split a task that does not fit into the open batch, where that is allowed."""
        limit = self._parameters.max_execution_batch_size
        if (
            not self._parameters.split_large
            or task.size <= room
            or task.size > self._parameters.max_batch_size
        ):
            return [task]
        first = room % limit
        rest = task.size - first
        sizes = [first] * bool(first) + [limit] * (rest // limit) + [rest % limit] * bool(rest % limit)
        columns = {name: list(split(tensor, sizes)) for name, tensor in task.inputs.items()}
        return [
            Task(
                inputs={name: parts[index] for name, parts in columns.items()},
                size=size,
                deadline=task.deadline,
                since=task.since,
            )
            for index, size in enumerate(sizes)
        ]

    def _processor(self, fetches: Sequence[str]) -> Callable[[Sequence[Task]], None]:
        def process(tasks: Sequence[Task]) -> None:
            timeout_ms = _timeout_ms(tasks)
            size = sum(task.size for task in tasks)
            padded = self._parameters.padded_size(size)
            if self._metrics:
                now = time.monotonic()
                waited = [now - task.since for task in tasks]
                self._metrics.note_batch(waited, padding=padded - size, size=padded)
            feeds = [(name, self._column(name, tasks, padded)) for name in tasks[0].inputs]
            outputs = self._session.run(feeds, fetches, timeout_ms=timeout_ms)
            for output in outputs:
                check_output(output, padded)
            if len(tasks) == 1 and padded == size:
                tasks[0].outputs.set_result(dict(zip(fetches, outputs, strict=True)))
                return
            rows = zip(*(split(output, [task.size for task in tasks]) for output in outputs), strict=True)
            for task, parts in zip(tasks, rows, strict=True):
                task.outputs.set_result(dict(zip(fetches, parts, strict=True)))

        return process

    def _column(self, name: str, tasks: Sequence[Task], size: int) -> Tensor:
        tensors = [task.inputs[name] for task in tasks]
        if len(tensors) == 1 and tensors[0].shape[0] == size:
            return tensors[0]
        return merged(name, tensors, size, ragged=self._parameters.pad_variable_length_inputs)


def _timeout_ms(tasks: Sequence[Task]) -> int:
    """Return how long a batch may run: as long as its most patient task waits, in whole seconds."""
    patience = max(task.deadline for task in tasks) - time.monotonic()
    if patience <= 0:
        raise StatusError(Code.RESOURCE_EXHAUSTED, "Run() timeout exceeded while waiting in batching queue")
    return 0 if patience == math.inf else math.ceil(patience) * 1000
