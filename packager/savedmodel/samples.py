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

TEXTS = ("one", "two words", "three more words")
"""What a model that takes text is asked, where no vocabulary tells its words."""

FREE_DIMENSION = (8, 16, 32, 64, 128, 224)
"""Sizes tried for dimensions that a model leaves free, until one fits it (windows, strides, pooling)."""


def random_requests(endpoint: Endpoint, batches: Sequence[int]) -> Iterator[list[list[Array]]]:
    """Yield requests, one of each batch size, with ever larger free dimensions: one may fit the model."""
    fixed_batch = any(spec.batch() is not None for spec in endpoint.plain)
    free_dimensions = any(None in spec.shape[1:] for spec in endpoint.plain)
    for free in FREE_DIMENSION if free_dimensions else FREE_DIMENSION[:1]:
        sizes = batches[:1] if fixed_batch else batches
        yield [sample_inputs(endpoint.plain, endpoint.drawn_from, batch=batch, free=free) for batch in sizes]


def sample_inputs(
    specs: Sequence[TensorSpec], drawn_from: Sequence[int | tuple[str, ...] | None], *, batch: int, free: int
) -> list[Array]:
    """Return one array for each spec, shape ``(batch, …)`` with every other free dimension ``free``.

    Floats lie in [0, 1), whole numbers below what ``drawn_from`` says, texts are some of its. numpy
    promises that RandomState draws the same numbers from one seed in every version, so requests do not
    change from run to run.
    """
    return [_values(spec, of, _sizes(spec, batch, free)) for spec, of in zip(specs, drawn_from, strict=True)]


def _sizes(spec: TensorSpec, batch: int, free: int) -> tuple[int, ...]:
    first, *rest = spec.shape or (None,)
    return (batch if first is None else first, *(free if d is None else d for d in rest))


def _values(spec: TensorSpec, drawn_from: int | tuple[str, ...] | None, shape: tuple[int, ...]) -> Array:
    # Seeded by name and shape: two inputs of one shape differ, so a swap shows, and so do two batches.
    random = np.random.RandomState(zlib.crc32(f"{spec.name} {shape}".encode()))
    if spec.dtype == "string":
        texts = drawn_from if isinstance(drawn_from, tuple) and drawn_from else TEXTS
        chosen: Array = np.array([text.encode() for text in texts], dtype=object)
        return np.asarray(chosen[random.randint(0, len(chosen), size=shape)])
    try:
        dtype = np.dtype(spec.dtype)
    except TypeError as error:
        raise ExportError(
            f"input {spec.name!r} has dtype {spec.dtype!r}, which no request can carry",
            hint="serve float32 or float64: rebuild the model with that input dtype",
        ) from error
    if dtype.kind == "b":
        return random.randint(0, 2, size=shape).astype(dtype)
    if isinstance(drawn_from, tuple):
        drawn_from = None  # texts of a declaration, for what is not text
    if drawn_from is not None or dtype.kind in "iu":
        return random.randint(0, 10 if drawn_from is None else drawn_from, size=shape).astype(dtype)
    return random.random_sample(size=shape).astype(dtype)
