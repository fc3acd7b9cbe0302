"""How each input of the model follows from what a client sends."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from packager.errors import SignatureError
from packager.signatures.declaration import InputDeclaration
from packager.signatures.preprocessing import Function, chain, function_of
from packager.signatures.steps import OneHot, Resize
from packager.values import Shape, TensorSpec

PIXELS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """What stands between a client and one input of the model."""

    published: tuple[TensorSpec, ...]
    """What the client sends: one tensor, or one for each column."""
    functions: tuple[Function, ...]
    """The steps, and the cast to the model's own dtype."""
    declared: InputDeclaration
    limit: int | None

    def __call__(self, tensors: Sequence[Any]) -> Any:
        """Turn the client's tensors into the model's one."""
        given = tf.stack(tensors, axis=-1) if self.declared.columns else tensors[0]
        return chain(self.functions)(given)

    @property
    def resources(self) -> tuple[Any, ...]:
        """The lookup tables of the steps."""
        return tuple(function for function in self.functions if isinstance(function, tf.Module))


def adapter(
    spec: TensorSpec, name: str, declared: InputDeclaration, *, batch: int | None, vocabulary: int | None
) -> Adapter:
    """Return the adapter of the model's input ``spec``, published under ``name``.

    Raises SignatureError where the declaration does not fit the input.
    """
    sent = _sent(spec, declared, batch)
    functions = [function_of(step) for step in declared.steps]
    one_hot = next((step.one_hot for step in declared.steps if isinstance(step, OneHot)), None)
    return Adapter(
        published=_published(dataclasses.replace(sent, name=name), declared.columns),
        functions=(*functions, _cast(spec.dtype)),
        declared=declared,
        limit=one_hot if one_hot is not None else vocabulary,
    )


def image_functions(found: Adapter) -> tuple[Resize | None, tuple[Function, ...]]:
    """Return how images are resized, and the functions for the pixels after that."""
    first = next(iter(found.declared.steps), None)
    return (first, found.functions[1:]) if isinstance(first, Resize) else (None, found.functions)


def _sent(spec: TensorSpec, declared: InputDeclaration, batch: int | None) -> TensorSpec:
    """Walk the steps backwards, from what the model takes to what the client sends."""
    shape, dtype = spec.shape, spec.dtype
    for step in reversed(declared.steps):
        try:
            shape, dtype = step.takes(shape, dtype)
        except ValueError as error:
            raise SignatureError(f"input {spec}: {error}", hint=f"[inputs.{spec.name}] steps") from error
    if declared.dtype is not None:
        dtype = _dtype(spec, declared.dtype, dtype)
    if declared.shape is not None:
        shape = (shape[0], *_narrowed(spec, shape[1:], declared.shape))
    if batch is not None:
        shape = (*_narrowed(spec, shape[:1], (batch,)), *shape[1:])
    return TensorSpec(name=spec.name, dtype=dtype, shape=shape)


def _dtype(spec: TensorSpec, declared: str, needed: str) -> str:
    try:
        name: str = tf.as_dtype(declared).name
    except TypeError as error:
        raise SignatureError(f"no dtype {declared!r}", hint="float32, int64, uint8, string, …") from error
    if (name == "string") != (needed == "string"):
        raise SignatureError(
            f"input {spec} cannot be sent as {declared}", hint="text needs a step: { vocabulary = FILE }"
        )
    return name


def _narrowed(spec: TensorSpec, shape: Shape, declared: Shape) -> Shape:
    """Return ``declared`` if it is ``shape`` with some of its free sizes fixed."""
    fits = len(shape) == len(declared) and all(
        free is None or free == size for free, size in zip(shape, declared, strict=True)
    )
    if not fits:
        raise SignatureError(
            f"input {spec} cannot have shape {_shown(declared)}", hint=f"it fixes {_shown(shape)}; -1 is free"
        )
    return declared


def _shown(shape: Shape) -> list[int]:
    return [-1 if size is None else size for size in shape]


def _published(sent: TensorSpec, columns: Sequence[str]) -> tuple[TensorSpec, ...]:
    if not columns:
        return (sent,)
    if len(sent.shape) != 2 or sent.shape[-1] != len(columns):
        raise SignatureError(
            f"{len(columns)} columns for input {sent}", hint="name each value of the last dimension once"
        )
    return tuple(dataclasses.replace(sent, name=column, shape=sent.shape[:-1]) for column in columns)


def _cast(dtype: str) -> Callable[[Any], Any]:
    return lambda tensor: tensor if dtype == "string" else tf.cast(tensor, dtype)
