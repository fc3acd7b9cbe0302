"""Requests to record answers of: distinct data for each input, the same at every conversion."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from packager.errors import ExportError
from packager.values import Endpoint, TensorSpec

Array = npt.NDArray[Any]

BATCHES = (1, 2, 3)
"""Examples in the recorded requests: one alone, as most clients send, and several."""

FREE_DIMENSION = (8, 16, 32, 64, 128, 224)
"""Sizes tried for dimensions that a model leaves free, until one fits it (windows, strides, pooling)."""


def random_requests(endpoint: Endpoint, batches: Sequence[int]) -> Iterator[list[list[Array]]]:
    """Yield requests, one of each batch size, with ever larger free dimensions: one may fit the model."""
    fixed_batch = any(spec.shape[0] is not None for spec in endpoint.inputs)
    free_dimensions = any(None in spec.shape[1:] for spec in endpoint.inputs)
    for free in FREE_DIMENSION if free_dimensions else FREE_DIMENSION[:1]:
        sizes = batches[:1] if fixed_batch else batches
        yield [sample_inputs(endpoint.inputs, endpoint.limits, batch=batch, free=free) for batch in sizes]


def sample_inputs(
    specs: Sequence[TensorSpec], limits: Sequence[int | None], *, batch: int, free: int
) -> list[Array]:
    """Return one array for each spec, shape ``(batch, …)`` with every other free dimension ``free``.

    Floats lie in [0, 1), whole numbers below the limit. numpy promises that RandomState draws
    the same numbers from one seed in every version, so requests do not change from run to run.
    """
    return [
        _values(spec, limit, _sizes(spec, batch, free)) for spec, limit in zip(specs, limits, strict=True)
    ]


def _sizes(spec: TensorSpec, batch: int, free: int) -> tuple[int, ...]:
    first = spec.shape[0] if spec.shape and spec.shape[0] is not None else batch
    return (first, *(free if d is None else d for d in spec.shape[1:]))


def _values(spec: TensorSpec, limit: int | None, shape: tuple[int, ...]) -> Array:
    # Seeded by name and shape: two inputs of one shape differ, so a swap shows, and so do two batches.
    random = np.random.RandomState(zlib.crc32(f"{spec.name} {shape}".encode()))
    if spec.dtype == "string":
        words = np.array([b"one", b"two words", b"three more words"], dtype=object)
        return words[random.randint(0, len(words), size=shape)]
    try:
        dtype = np.dtype(spec.dtype)
    except TypeError as error:
        raise ExportError(
            f"input {spec.name!r} has dtype {spec.dtype!r}, which no request can carry",
            hint="serve float32 or float64: rebuild the model with that input dtype",
        ) from error
    if dtype.kind == "b":
        return random.randint(0, 2, size=shape).astype(dtype)
    if limit is not None or dtype.kind in "iu":
        return random.randint(0, limit or 10, size=shape).astype(dtype)
    return random.random_sample(size=shape).astype(dtype)
