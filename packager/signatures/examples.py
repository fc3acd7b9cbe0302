"""Requests as serialised ``tf.Example`` records, for the classify and regress interfaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from packager.errors import SignatureError
from packager.values import TensorSpec

CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"

EXAMPLES = TensorSpec(name="inputs", dtype="string", shape=(None,))
"""The one input of both, under the name that servers look for."""


def parser(specs: Sequence[TensorSpec]) -> Callable[[Any], list[Any]]:
    """Return the function from serialised examples to tensors; features are named as the inputs.

    Raises SignatureError for an input whose size is free: an example has to be of one size.
    """
    features = {spec.name: tf.io.FixedLenFeature(_row(spec), _stored(spec)) for spec in specs}

    def parse(examples: Any) -> list[Any]:
        parsed = tf.io.parse_example(examples, features)
        return [tf.cast(parsed[s.name], s.dtype) if s.dtype != "string" else parsed[s.name] for s in specs]

    return parse


def example_request(specs: Sequence[TensorSpec]) -> Callable[[Sequence[Any]], list[Any]]:
    """Return the function that turns a request of tensors into one of serialised examples."""

    def encode(arrays: Sequence[Any]) -> list[Any]:
        rows = zip(*arrays, strict=True)
        return [np.array([_example(specs, row) for row in rows], dtype=object)]

    return encode


def _example(specs: Sequence[TensorSpec], row: Sequence[Any]) -> bytes:
    example = tf.train.Example()
    for spec, value in zip(specs, row, strict=True):
        feature, values = example.features.feature[spec.name], np.asarray(value).ravel().tolist()
        kind = _stored(spec)
        field = {tf.string: feature.bytes_list, tf.int64: feature.int64_list}.get(kind, feature.float_list)
        field.value.extend(values)
    serialised: bytes = example.SerializeToString(deterministic=True)
    return serialised


def _stored(spec: TensorSpec) -> Any:
    """Return which of the three types of a feature holds the dtype of ``spec``."""
    dtype = tf.as_dtype(spec.dtype)
    if dtype == tf.string:
        return tf.string
    return tf.int64 if dtype.is_integer or dtype.is_bool else tf.float32


def _row(spec: TensorSpec) -> list[int]:
    sizes = [size for size in spec.shape[1:] if size is not None]
    if len(sizes) != len(spec.shape) - 1:
        raise SignatureError(
            f"input {spec} has a free size, which no tf.Example feature can have",
            hint=f"fix it in the declaration: [inputs.{spec.name}] shape = [...]",
        )
    return sizes
