"""Encoded images as a request: PNG, JPEG, GIF and BMP, decoded and resized in the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from packager.signatures.preprocessing import function_of
from packager.signatures.steps import Resize
from packager.values import TensorSpec

CHANNELS = (1, 3)
"""Grey and RGB."""


def takes_images(spec: TensorSpec) -> bool:
    """Whether a tensor looks like images: height and width of eight pixels or more, grey or RGB."""
    sizes = spec.shape[1:3]
    return (
        len(spec.shape) == 4
        and spec.shape[3] in CHANNELS
        and spec.dtype != "string"
        and all(size is None or size >= 8 for size in sizes)
    )


def decoder(spec: TensorSpec, resize: Resize | None) -> Callable[[Any], Any]:
    """Return the function from a batch of encoded images to pixels from 0 to 255, shaped as ``spec``.

    Each image is resized by itself, so one batch may hold several sizes; to the sizes of ``spec`` where
    those are fixed and ``resize`` declares none.
    """
    height, width, channels = spec.shape[1:]
    if resize is None and height is not None and width is not None:
        resize = Resize(resize=(height, width))
    resized = function_of(resize) if resize else (lambda images: images)

    def decode(encoded: Any) -> Any:
        return resized((_grey(encoded) if channels == 1 else _colours(encoded))[tf.newaxis])[0]

    row = tf.TensorSpec((*(resize.resize if resize else (None, None)), channels), tf.float32)
    return lambda batch: tf.map_fn(decode, batch, fn_output_signature=row)


_LUMINANCE = (0.299, 0.587, 0.114)
"""Of red, green and blue (ITU-R BT.601), as JPEG has it."""

_PNG, _JPEG = b"\x89PN", b"\xff\xd8\xff"


def _colours(encoded: Any) -> Any:
    pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    return tf.cast(tf.ensure_shape(pixels, (None, None, 3)), tf.float32)


def _grey(encoded: Any) -> Any:
    """Decode to one channel, which TensorFlow does itself for PNG and JPEG only."""

    def whole() -> Any:
        return tf.cast(tf.io.decode_image(encoded, channels=1, expand_animations=False), tf.float32)

    def mixed() -> Any:
        return tf.round(tf.reduce_sum(_colours(encoded) * _LUMINANCE, axis=-1, keepdims=True))

    start = tf.strings.substr(encoded, 0, 3)
    one_channel = tf.logical_or(start == _PNG, start == _JPEG)
    return tf.ensure_shape(tf.cond(one_channel, whole, mixed), (None, None, 1))


def encoded_images(pixels: Any) -> Any:
    """Encode a batch of pixels as PNG, from which they come back as they were once rounded."""
    whole = np.clip(np.rint(np.asarray(pixels, np.float64)), 0, 255).astype(np.uint8)
    return np.array([tf.io.encode_png(image).numpy() for image in whole], dtype=object)


def image_request(arrays: Sequence[Any]) -> list[Any]:
    """Turn a request of pixels into one of encoded images."""
    return [encoded_images(array) for array in arrays]
