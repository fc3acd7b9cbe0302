"""How each input of the model follows from what a client sends."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from packager.errors import SignatureError
from packager.signatures.declaration import InputDeclaration
from packager.signatures.images import takes_images
from packager.signatures.preprocessing import Function, chain, function_of
from packager.signatures.steps import OneHot, Resize, Split, Vocabulary
from packager.values import Shape, TensorSpec

PIXELS = 256
"""Values of a pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """What stands between a client and one input of the model."""

    published: tuple[TensorSpec, ...]
    """What the client sends: one tensor, or one for each column."""
    functions: tuple[Function, ...]
    """The steps, and the cast to the model's own dtype."""
    declared: InputDeclaration
    fixed: bool
    """Whether sizes are declared that the model leaves free."""
    drawn_from: int | tuple[str, ...] | None
    """What random values lie below, or the texts that they are."""

    def __call__(self, tensors: Sequence[Any]) -> Any:
        """Turn the client's tensors into the model's one."""
        if self.fixed:  # servers compare no shapes
            pairs = zip(tensors, self.published, strict=True)
            tensors = [tf.ensure_shape(tensor, spec.shape) for tensor, spec in pairs]
        given = tf.stack(tensors, axis=-1) if self.declared.columns else tensors[0]
        return chain(self.functions)(given)

    @property
    def resources(self) -> tuple[Any, ...]:
        """The lookup tables of the steps."""
        return tuple(function for function in self.functions if isinstance(function, tf.Module))


def adapter(
    spec: TensorSpec,
    name: str,
    declared: InputDeclaration,
    *,
    batch: int | None,
    vocabulary: int | None,
    alone: bool,
) -> Adapter:
    """Return the adapter of the model's input ``spec``, published under ``name``.

    ``vocabulary`` is surely its own where it is ``alone``. Raises SignatureError where the declaration
    does not fit the input.
    """
    sent = _sent(spec, declared, batch)
    functions = [function_of(step) for step in declared.steps]
    _check_vocabulary(spec, declared, vocabulary if alone else None)
    return Adapter(
        published=_published(dataclasses.replace(sent, name=name), declared.columns),
        functions=(*functions, _cast(spec.dtype)),
        declared=declared,
        fixed=declared.shape is not None or batch is not None,
        drawn_from=_drawn_from(sent, declared, vocabulary),
    )


def _drawn_from(
    sent: TensorSpec, declared: InputDeclaration, vocabulary: int | None
) -> int | tuple[str, ...] | None:
    words = next((step.vocabulary for step in declared.steps if isinstance(step, Vocabulary)), None)
    if words is not None:
        return texts(words) if isinstance(declared.steps[0], Split) else (*words, "a word of no vocabulary")
    one_hot = next((step.one_hot for step in declared.steps if isinstance(step, OneHot)), None)
    if one_hot is not None:
        return one_hot
    return PIXELS if takes_images(sent) and sent.dtype == "uint8" else vocabulary


def _check_vocabulary(spec: TensorSpec, declared: InputDeclaration, size: int | None) -> None:
    """See that an Embedding of ``size`` rows can look up all that a declared vocabulary gives."""
    for step in declared.steps:
        if isinstance(step, Vocabulary) and size is not None and step.limit > size:
            raise SignatureError(
                f"input {spec}: the vocabulary gives numbers up to {step.limit - 1}, and the model's "
                f"embedding has {size} rows",
                hint=f"give the vocabulary of the training: {size} words, padding and unknown among them",
            )


def texts(words: Sequence[str], *, count: int = 64, longest: int = 12) -> tuple[str, ...]:
    """Return texts of one to ``longest`` of ``words``, the same each time."""
    random, known = np.random.RandomState(0), [word for word in words if word]
    return tuple(
        " ".join(known[i] for i in random.randint(0, len(known), size=1 + number % longest))
        for number in range(count)
        if known
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
            raise SignatureError(
                f"inputs.{spec.name}.steps do not fit the model's input {spec}: {error}",
                hint=f"as in {step.EXAMPLE}: the steps go from what clients send to what the model takes",
            ) from error
    if declared.dtype is not None:
        dtype = _dtype(spec, declared.dtype, dtype)
    if declared.shape is not None:
        shape = (shape[0], *_narrowed(spec, shape[1:], declared.shape))
    if batch is not None:
        shape = (*_narrowed(spec, shape[:1], (batch,)), *shape[1:])
    return TensorSpec(name=spec.name, dtype=dtype, shape=shape)


def _dtype(spec: TensorSpec, declared: str, needed: str) -> str:
    if (declared == "string") != (needed == "string"):
        raise SignatureError(
            f'inputs.{spec.name}.dtype = "{declared}": what comes before the steps is {needed}',
            hint='text becomes numbers by the step { vocabulary = "words.txt" }',
        )
    return declared


def _narrowed(spec: TensorSpec, shape: Shape, declared: Shape) -> Shape:
    """Return ``declared`` if it is ``shape`` with some of its free sizes fixed."""
    fits = len(shape) == len(declared) and all(
        free is None or free == size for free, size in zip(shape, declared, strict=True)
    )
    if not fits:
        raise SignatureError(
            f"input {spec} cannot be given as {_shown(declared)}", hint=f"it is {_shown(shape)}; -1 is free"
        )
    return declared


def _shown(shape: Shape) -> list[int]:
    return [-1 if size is None else size for size in shape]


def _published(sent: TensorSpec, columns: Sequence[str]) -> tuple[TensorSpec, ...]:
    if not columns:
        return (sent,)
    if len(sent.shape) != 2 or sent.shape[-1] != len(columns):
        raise SignatureError(
            f"inputs.{sent.name}.columns: {len(columns)} columns for {sent}",
            hint="a table has a row of values for each example: name each of them once",
        )
    return tuple(dataclasses.replace(sent, name=column, shape=sent.shape[:-1]) for column in columns)


def _cast(dtype: str) -> Callable[[Any], Any]:
    return lambda tensor: tensor if dtype == "string" else tf.cast(tensor, dtype)
