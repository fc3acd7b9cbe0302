"""How requests are batched: a BatchingParameters file, checked as TensorFlow Serving checks it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from packager.serving.models.config import read_text_message
from packager.serving.status import invalid_argument


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchingParameters:
    """How requests of one model are batched. Sizes are rows: sizes of the first dimension."""

    max_batch_size: int = 1000
    timeout: float = 0.0
    """How many seconds an unfilled batch waits for more."""
    max_enqueued_batches: int = 10
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    """How many batches run at once, those of all models together."""
    allowed_batch_sizes: tuple[int, ...] = ()
    """What batches are padded to; empty is any size."""
    pad_variable_length_inputs: bool = False
    split_large: bool = False
    """Whether a request may be larger than a batch that is run, and is then run in parts."""
    max_execution_batch_size: int = 1000
    """The most rows that run at once; ``max_batch_size`` where requests are not split."""

    def padded_size(self, size: int) -> int:
        """Return the smallest allowed size that is large enough."""
        return next((allowed for allowed in self.allowed_batch_sizes if allowed >= size), size)


def read_batching_parameters(path: str) -> BatchingParameters:
    """Read a BatchingParameters file, or raise StatusError; an empty path has the defaults."""
    return parameters_of(read_text_message(path, "BatchingParameters")) if path else BatchingParameters()


def parameters_of(config: Any) -> BatchingParameters:
    """Return the parameters in a BatchingParameters message."""

    def number(name: str, default: int) -> int:
        return int(getattr(config, name).value) if config.HasField(name) else default

    default = BatchingParameters()
    largest = number("max_batch_size", default.max_batch_size)
    split = config.enable_large_batch_splitting.value
    return BatchingParameters(
        max_batch_size=largest,
        timeout=number("batch_timeout_micros", 0) / 1e6,
        max_enqueued_batches=number("max_enqueued_batches", default.max_enqueued_batches),
        threads=number("num_batch_threads", default.threads),
        allowed_batch_sizes=tuple(config.allowed_batch_sizes),
        pad_variable_length_inputs=config.pad_variable_length_inputs,
        split_large=split,
        max_execution_batch_size=number("max_execution_batch_size", largest) if split else largest,
    )


def check_threads(parameters: BatchingParameters) -> None:
    """Raise StatusError unless there is a thread to run batches."""
    if parameters.threads < 1:
        raise invalid_argument(f"num_batch_threads must be positive; was {parameters.threads}")


def check_sizes(parameters: BatchingParameters) -> None:
    """Raise StatusError if no model can be batched so."""
    if parameters.max_batch_size < 1:
        raise invalid_argument(f"max_batch_size must be positive; was {parameters.max_batch_size}")
    if parameters.timeout < 0:
        raise invalid_argument(
            f"batch_timeout_micros must be non-negative; was {parameters.timeout * 1e6:.0f}"
        )
    if parameters.max_enqueued_batches < 0:
        raise invalid_argument(
            f"max_enqueued_batches must be non-negative; was {parameters.max_enqueued_batches}"
        )
    if not 1 <= parameters.max_execution_batch_size <= parameters.max_batch_size:
        raise invalid_argument(
            "max_execution_batch_size should be less than or equal to max_batch_size; "
            f"was {parameters.max_execution_batch_size}"
        )
    _check_allowed(parameters)


def _check_allowed(parameters: BatchingParameters) -> None:
    allowed = parameters.allowed_batch_sizes
    if not allowed:
        return
    what = "be equal to max_execution_batch_size" if parameters.split_large else "match max_batch_size"
    if allowed[-1] != parameters.max_execution_batch_size:
        raise invalid_argument(
            f"Last entry in allowed_batch_sizes must {what}; last entry was {allowed[-1]}; "
            f"expected {parameters.max_execution_batch_size}"
        )
    if parameters.split_large and any(a >= b for a, b in pairwise(allowed)):
        raise invalid_argument("allowed_batch_sizes entries must be monotonically increasing")
