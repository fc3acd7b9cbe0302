"""Joins tensors along their first dimension, takes them apart again, and pads what is ragged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import prod
from typing import cast

from packager.serving.native.dtypes import DType
from packager.serving.native.tensors import Tensor
from packager.serving.status import Code, StatusError, failed_precondition, invalid_argument

_MAX_PADDED_RANK = 6

Elements = bytes | list[bytes]
"""A tensor's elements: as they lie in memory, or for strings one by one."""


def elements_of(tensor: Tensor) -> Elements:
    """Return the elements of a tensor."""
    return tensor.to_strings() if tensor.dtype is DType.STRING else tensor.to_bytes()


def tensor_of(dtype: DType, shape: Sequence[int], elements: Elements) -> Tensor:
    """Make a tensor of its elements."""
    if isinstance(elements, bytes):
        return Tensor.from_bytes(dtype, shape, elements)
    return Tensor.from_strings(shape, elements)


def batch_size(feeds: Sequence[tuple[str, Tensor]]) -> int:
    """Return the size of the first dimension, which all tensors share; or raise StatusError."""
    if not feeds:
        raise invalid_argument("Batching Run() must have at least one input tensor")
    if any(not tensor.shape for _, tensor in feeds):
        raise invalid_argument("Batching Run() input tensors must have at least one dimension")
    sizes: set[int] = {tensor.shape[0] for _, tensor in feeds}
    if len(sizes) > 1:
        raise invalid_argument("Batching Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()


def merged(name: str, tensors: Sequence[Tensor], size: int, *, ragged: bool) -> Tensor:
    """Join tensors, and repeat the first row of the last one until there are ``size`` rows.

    Rows of different shapes are padded where ``ragged`` rows are allowed; else StatusError.
    """
    shapes = {tensor.shape[1:] for tensor in tensors}
    if len(shapes) == 1:
        row = shapes.pop()
        parts = [elements_of(tensor) for tensor in tensors]
    elif not ragged:
        raise _unlike(name)
    else:
        row = _common_row(shapes)
        parts = [_padded(tensor, row) for tensor in tensors]
    rows = sum(tensor.shape[0] for tensor in tensors)
    width = len(parts[-1]) // tensors[-1].shape[0]
    parts.append(parts[-1][:width] * (size - rows))
    return tensor_of(tensors[0].dtype, (size, *row), _joined(parts))


def split(tensor: Tensor, sizes: Sequence[int]) -> Iterator[Tensor]:
    """Yield the first so many rows of a tensor, then the next so many."""
    elements = elements_of(tensor)
    width = len(elements) // tensor.shape[0] if tensor.shape[0] else 0
    first = 0
    for size in sizes:
        rows = elements[first * width : (first + size) * width]
        yield tensor_of(tensor.dtype, (size, *tensor.shape[1:]), rows)
        first += size


def check_output(tensor: Tensor, size: int) -> None:
    """Raise StatusError unless an output has a row for each row of the batch."""
    if not tensor.shape:
        raise failed_precondition("Batched output tensor has 0 dimensions")
    if tensor.shape[0] != size:
        raise failed_precondition(
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes "
            "of the input tensors"
        )


def joined(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Join the outputs of the parts of one request."""
    names = parts[0]
    return {
        name: merged(name, tensors, sum(tensor.shape[0] for tensor in tensors), ragged=False)
        for name, tensors in ((name, [part[name] for part in parts]) for name in names)
    }


def _common_row(shapes: set[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the smallest shape that all others fit into."""
    ranks = {len(shape) for shape in shapes}
    if len(ranks) > 1:
        raise StatusError(
            Code.INVALID_ARGUMENT, "Tensors with the same name should have the same rank to be padded"
        )
    if ranks.pop() >= _MAX_PADDED_RANK:
        raise invalid_argument("Only tensors with rank from 1 to 6 can be padded.")
    return tuple(map(max, zip(*shapes, strict=True)))


def _padded(tensor: Tensor, row: tuple[int, ...]) -> Elements:
    """Return the elements of a tensor padded with its first element to rows of another shape."""
    elements = elements_of(tensor)
    if not elements:
        raise invalid_argument("Got empty tensor in batch of non-empty tensors.")
    fill = elements[: len(elements) // tensor.size]
    return _grown(elements, tensor.shape, (tensor.shape[0], *row), fill)


def _grown(elements: Elements, shape: Sequence[int], target: Sequence[int], fill: Elements) -> Elements:
    if not shape:
        return elements
    width = len(elements) // shape[0]
    parts = [
        _grown(elements[index * width : (index + 1) * width], shape[1:], target[1:], fill)
        for index in range(shape[0])
    ]
    parts.append(fill * ((target[0] - shape[0]) * prod(target[1:])))
    return _joined(parts)


def _joined(parts: Sequence[Elements]) -> Elements:
    if all(isinstance(part, bytes) for part in parts):
        return b"".join(cast("Sequence[bytes]", parts))
    return list(chain.from_iterable(cast("Sequence[list[bytes]]", parts)))


def _unlike(name: str) -> StatusError:
    # The blanks that are missing are missing there, too
    return failed_precondition(
        f"Tensors with name '{name}' from different tasks have different shapes and padding is turned off."
        "Set pad_variable_length_inputs to true, or ensure that all tensors with the same name"
        "have equal dimensions starting with the first dim."
    )
