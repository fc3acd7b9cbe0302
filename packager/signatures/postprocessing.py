"""What becomes of one output of the model: activation, then the classes and labels beside the scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from packager.errors import SignatureError
from packager.signatures.declaration import OutputDeclaration
from packager.values import TensorSpec

Derived = tuple[str, Callable[[Any], Any]]
"""The name of an output, and how it follows from the activated scores."""


def activated(declared: OutputDeclaration, tensor: Any) -> Any:
    """Return the scores: ``tensor``, or its declared activation."""
    if declared.activation == "softmax":
        return tf.nn.softmax(tensor)
    return tf.nn.sigmoid(tensor) if declared.activation == "sigmoid" else tensor


def derived_outputs(declared: OutputDeclaration, spec: TensorSpec) -> tuple[Derived, ...]:
    """Return what clients get of the output ``spec``, the scores under its own name first.

    Raises SignatureError where labels and sizes do not fit.
    """
    _check(declared, spec)
    return tuple(_derived(declared, spec))


def _derived(declared: OutputDeclaration, spec: TensorSpec) -> Iterator[Derived]:
    name, labels, k = spec.name, declared.labels, declared.top_k
    if k is not None:
        yield name, lambda scores: tf.math.top_k(scores, k).values
        if labels:
            yield f"{name}_labels", lambda scores: _label(labels, tf.math.top_k(scores, k).indices)
        else:
            yield f"{name}_classes", lambda scores: tf.math.top_k(scores, k).indices
    else:
        yield name, lambda scores: scores
        if labels:
            yield f"{name}_label", lambda scores: _label(labels, _best(declared, scores))
    if declared.argmax:
        yield f"{name}_class", lambda scores: _best(declared, scores)
    if declared.threshold is not None:
        yield f"{name}_above", lambda scores: scores > declared.threshold


def _best(declared: OutputDeclaration, scores: Any) -> Any:
    """Return the class of the highest score; of a single score, whether it passes the threshold."""
    if scores.shape[-1] == 1:
        threshold = 0.5 if declared.threshold is None else declared.threshold
        return tf.cast(scores[..., 0] > threshold, tf.int64)
    return tf.argmax(scores, axis=-1)


def _label(labels: tuple[str, ...], classes: Any) -> Any:
    return tf.gather(tf.constant(labels), classes)


def _check(declared: OutputDeclaration, spec: TensorSpec) -> None:
    size = spec.shape[-1] if len(spec.shape) > 1 else None
    if declared.activation == "softmax" and size == 1:
        raise SignatureError(f"the softmax of output {spec} is always 1", hint='activation = "sigmoid"')
    classes = 2 if size == 1 else size
    if (declared.labels or declared.top_k or declared.argmax) and classes is None:
        raise SignatureError(
            f"output {spec} has no classes: its last dimension is not fixed",
            hint="leave out labels and top_k",
        )
    if declared.labels and len(declared.labels) != classes:
        raise SignatureError(
            f"{len(declared.labels)} labels for output {spec}",
            hint=f"it has {classes} classes: give as many labels, in the order of training",
        )
    if declared.top_k is not None and size is not None and declared.top_k > size:
        raise SignatureError(f"top_k = {declared.top_k} of {size} in output {spec}", hint="top_k = 1")
