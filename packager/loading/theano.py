"""What Keras computed otherwise on its Theano backend: kernels are turned, and ``same`` pads other sides.

Theano convolved where TensorFlow correlates: the two differ by a turn of the kernel by 180° (keras.io of
Keras 1: "converting Theano kernels to TensorFlow"). Keras 2 turned these layers; tf_keras does not. With
``padding="same"`` Theano pads both sides alike and cuts the end (keras/backend/theano_backend.py, ``conv2d``
and ``pool2d``), TensorFlow pads the end more: that differs for strides, and for even sizes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from packager.errors import ModelLoadError
from packager.loading.deferred import set_variable, stored_array

_KERNELS = {
    "Conv1D": 1,
    "Conv2D": 1,
    "Conv3D": 1,
    "Conv2DTranspose": 1,
    "Conv3DTranspose": 1,
    "ConvLSTM2D": 2,
}
"""Layer classes, with how many of their first weights are kernels."""


def has_kernels(model: Any) -> bool:
    """Tell whether the model has a layer whose kernels depend on the backend."""
    return any(type(layer).__name__ in _KERNELS for layer in model._flatten_layers())


def flip_kernels(model: Any) -> None:
    """Turn the kernels of all convolutions in ``model``, nested ones included."""
    for layer in model._flatten_layers():
        for kernel in layer.weights[: _KERNELS.get(type(layer).__name__, 0)]:
            axes = tuple(range(len(kernel.shape) - 2))
            stored = stored_array(kernel)
            if stored is not None and stored.turn is None:
                turn = functools.partial(np.flip, axis=axes)
                words = f"flip {' '.join(map(str, axes))}"
                set_variable(kernel, stored.turned(turn, shape=stored.shape, transform=words))
            else:
                kernel.assign(np.flip(np.asarray(kernel.numpy()), axes))


def compute_as_theano(model: Any, version: str | None) -> None:
    """Turn the kernels of ``model``, and let its layers pad as Keras ``version`` did on Theano."""
    flip_kernels(model)
    pad_as_theano(model, version)


def pad_as_theano(model: Any, version: str | None) -> None:
    """Let the layers with ``padding="same"`` pad as on Theano; they are to be given channels last.

    Raises ModelLoadError for a layer that cannot.
    """
    for layer in model._flatten_layers():
        kind = _kind(layer)
        if kind == "ConvLSTM" and any(size % 2 == 0 for size in layer.kernel_size):
            raise _cannot(layer, f"with a kernel of {layer.kernel_size}")
        if getattr(layer, "padding", None) == "same":
            if kind in ("Conv", "MaxPooling", "AveragePooling"):
                counted = (version or "").startswith("2.0.")  # padding counted in the mean, until 2.1
                layer.call = _padded(layer, kind, layer.call, mean_of_all=counted)
            elif kind == "ConvTranspose":
                layer.call = _cut(layer, layer.call)


def _kind(layer: Any) -> str:
    """Return a layer's class without its number of dimensions."""
    return re.sub(r"[123]D", "", type(layer).__name__)


def _cannot(layer: Any, how: str) -> ModelLoadError:
    return ModelLoadError(
        f"layer {layer.name!r} is a {type(layer).__name__} {how}, which pads another side on Theano than on "
        "TensorFlow",
        hint="rebuild it with odd kernels, larger than its strides: --architecture file.py:function",
    )


def _cut(layer: Any, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Cut as much from either side of a transposed convolution; TensorFlow cuts more from the end."""
    strides, sizes = _numbers(layer.strides), _numbers(layer.kernel_size)
    if any(stride + size // 2 > size for stride, size in zip(strides, sizes, strict=True)):
        raise _cannot(layer, f"with strides of {layer.strides}")
    layer.padding = "valid"

    def cut(inputs: Any) -> Any:
        answer = call(inputs)
        starts = [size // 2 for size in sizes]
        lengths = [length * stride for length, stride in zip(_lengths(inputs), strides, strict=True)]
        return _part(answer, starts, lengths)

    return cut


def _padded(layer: Any, kind: str, call: Callable[[Any], Any], *, mean_of_all: bool) -> Callable[[Any], Any]:
    """Pad either side alike before a convolution or pooling, and cut the end after it."""
    import tensorflow as tf

    strides = _numbers(layer.strides)
    if kind == "Conv":
        sizes = zip(layer.kernel_size, layer.dilation_rate, strict=True)
        widths = [((size - 1) * dilation + 1) // 2 for size, dilation in sizes]
    else:
        widths = [size - 2 if size > 2 and size % 2 else size - 1 for size in _numbers(layer.pool_size)]
    layer.padding = "valid"
    paddings = [[0, 0], *([width, width] for width in widths), [0, 0]]

    def padded(inputs: Any) -> Any:
        filling = inputs.dtype.min if kind == "MaxPooling" else 0
        answer = call(tf.pad(inputs, paddings, constant_values=filling))
        if kind == "AveragePooling" and not mean_of_all:
            answer = answer / call(tf.pad(tf.ones_like(inputs), paddings))
        lengths = [-(-length // stride) for length, stride in zip(_lengths(inputs), strides, strict=True)]
        return _part(answer, [0] * len(lengths), lengths)

    return padded


def _part(tensor: Any, starts: Sequence[int], lengths: Sequence[Any]) -> Any:
    """Return a part in space of a tensor with its channels last."""
    places = [slice(start, start + length) for start, length in zip(starts, lengths, strict=True)]
    index = (slice(None), *places)
    return tensor[index]


def _lengths(inputs: Any) -> list[Any]:
    """Return the sizes of the axes in space, as numbers where they are known."""
    import tensorflow as tf

    known, dynamic = inputs.shape.as_list(), tf.shape(inputs)
    return [dynamic[axis] if known[axis] is None else known[axis] for axis in range(1, len(known) - 1)]


def _numbers(value: int | Sequence[int]) -> list[int]:
    return [value] if isinstance(value, int) else list(value)
