"""A rebuilt model, with all that later stages need to know of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from packager.values import Binding, TensorSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInput:
    """An input of the model, with what its numbers mean where the model tells."""

    spec: TensorSpec
    vocabulary: int | None = None
    """Values are whole numbers below this, where the input is looked up in an embedding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A Keras model, ready to answer, whose weights are the file's."""

    call: Callable[[Sequence[Any]], Sequence[Any]]
    """Inputs in order → outputs in order, in inference mode; takes and returns TensorFlow tensors."""
    variables: tuple[Any, ...] = ()
    """TensorFlow's, in the order that the model has them in."""
    hold: Callable[[], bool]
    """Reads weights that are in the file only, and keeps them in memory; tells whether there were any."""
    folds: Callable[[], Sequence[Any]] = tuple
    """Finds the batch normalisations that can go into the weights before them (``folding.Fold``)."""
    resources: tuple[Any, ...]
    """What has to be saved beside the variables: lookup tables."""
    inputs: tuple[ModelInput, ...]
    outputs: tuple[TensorSpec, ...]
    bindings: tuple[Binding, ...]
    parameters: int
    loader: str
    warnings: tuple[str, ...]
