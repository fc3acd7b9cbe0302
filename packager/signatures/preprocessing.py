"""The steps of a declaration as TensorFlow functions, to be traced into the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch
from typing import Any

import tensorflow as tf

from packager.signatures.steps import (
    ApplicationMode,
    ColourOrder,
    OneHot,
    Pad,
    Rescale,
    Resize,
    Split,
    Standardize,
    Step,
    Vocabulary,
)

Function = Callable[[Any], Any]

_PUNCTUATION = r"[!\"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']"
"""What the Keras text layers strip by default: ``lower_and_strip_punctuation``."""

_CAFFE_MEAN = (103.939, 116.779, 123.68)
"""Of ImageNet, in the order BGR (keras.applications.imagenet_utils)."""

_TORCH_MEAN, _TORCH_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def chain(functions: Sequence[Function]) -> Function:
    """Return the function that applies ``functions`` one after the other."""

    def run(tensor: Any) -> Any:
        for function in functions:
            tensor = function(tensor)
        return tensor

    return run


class Lookup(tf.Module):  # type: ignore[misc]
    """Words to numbers; a module, so that the table is saved with the graph that reads it."""

    def __init__(self, step: Vocabulary) -> None:
        super().__init__()
        words = tf.constant(step.vocabulary)
        numbers = tf.range(step.first, step.first + len(step.vocabulary), dtype=tf.int64)
        entries = tf.lookup.KeyValueTensorInitializer(words, numbers)
        self.table = tf.lookup.StaticHashTable(entries, default_value=step.unknown)

    def __call__(self, words: Any) -> Any:
        """Look ``words`` up."""
        return self.table.lookup(words)


@singledispatch
def function_of(step: Step) -> Function:
    """Return the function of a step: tensor → tensor, the batch first."""
    raise NotImplementedError(type(step).__name__)


@function_of.register
def _(step: Rescale) -> Function:
    return lambda tensor: _floats(tensor) * step.rescale + step.offset


@function_of.register
def _(step: Standardize) -> Function:
    mean, std = (tf.constant(numbers, tf.float32) for numbers in (step.mean, step.std))
    return lambda tensor: (_floats(tensor) - mean) / std


@function_of.register
def _(step: Resize) -> Function:
    def resize(images: Any) -> Any:
        if step.aspect == "pad":
            return _padded(images, step)
        cropped = _cropped(images, *step.resize) if step.aspect == "crop" else images
        return tf.image.resize(cropped, step.resize, method=step.method, antialias=step.antialias)

    return resize


@function_of.register
def _(step: ColourOrder) -> Function:
    return (lambda images: images[..., ::-1]) if step.colour_order == "bgr" else (lambda images: images)


@function_of.register
def _(step: ApplicationMode) -> Function:
    if step.keras_applications == "caffe":
        return lambda images: _floats(images)[..., ::-1] - tf.constant(_CAFFE_MEAN)
    if step.keras_applications == "torch":
        return lambda images: (_floats(images) / 255.0 - tf.constant(_TORCH_MEAN)) / tf.constant(_TORCH_STD)
    return lambda images: _floats(images) / 127.5 - 1.0


@function_of.register
def _(step: OneHot) -> Function:
    return lambda numbers: tf.one_hot(numbers, step.one_hot)


@function_of.register
def _(step: Pad) -> Function:
    def pad(rows: Any) -> Any:
        at_end = step.side == "end"
        kept = rows[:, : step.pad] if at_end else rows[:, -step.pad :]
        missing = step.pad - tf.shape(kept)[1]
        ends = [0, missing] if at_end else [missing, 0]
        widths = [[0, 0], ends, *([[0, 0]] * (len(rows.shape) - 2))]
        filled = tf.pad(kept, widths, constant_values=tf.cast(step.value, rows.dtype))
        return tf.ensure_shape(filled, (rows.shape[0], step.pad, *rows.shape[2:]))

    return pad


@function_of.register
def _(step: Vocabulary) -> Function:
    return Lookup(step)


@function_of.register
def _(step: Split) -> Function:
    def split(texts: Any) -> Any:
        texts = tf.strings.lower(texts) if step.lower else texts
        texts = tf.strings.regex_replace(texts, _PUNCTUATION, "") if step.strip_punctuation else texts
        return tf.strings.split(texts).to_tensor(default_value="", shape=(texts.shape[0], step.split))

    return split


def _floats(tensor: Any) -> Any:
    return tf.cast(tensor, tf.float32)


def _cropped(images: Any, height: int, width: int) -> Any:
    """Cut the middle out of ``images`` in the proportions of ``height`` and ``width``."""
    shape = tf.shape(images)
    kept_height = tf.minimum(shape[1], tf.maximum(shape[2] * height // width, 1))
    kept_width = tf.minimum(shape[2], tf.maximum(shape[1] * width // height, 1))
    top, left = (shape[1] - kept_height) // 2, (shape[2] - kept_width) // 2
    return images[:, top : top + kept_height, left : left + kept_width]


def _padded(images: Any, step: Resize) -> Any:
    """Do what ``tf.image.resize_with_pad`` does eagerly; as part of a graph, its divisions lose a row."""
    (height, width), shape = step.resize, tf.shape(images)
    rows, columns = shape[1], shape[2]
    kept_height = tf.clip_by_value(rows * width // columns, 1, height)
    kept_width = tf.clip_by_value(columns * height // rows, 1, width)
    kept = tf.image.resize(images, (kept_height, kept_width), method=step.method, antialias=step.antialias)
    top = tf.maximum((height * columns - rows * width) // (2 * columns), 0)
    left = tf.maximum((width * rows - columns * height) // (2 * rows), 0)
    return tf.image.pad_to_bounding_box(kept, top, left, height, width)
