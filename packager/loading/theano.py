"""Kernels of Keras' Theano backend, which convolved where TensorFlow correlates.

The two differ by a turn of the kernel by 180° (keras.io of Keras 1: "converting Theano kernels to
TensorFlow"). Keras 2 turned these layers; tf_keras does not.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from packager.loading.deferred import set_variable, stored_array

_KERNELS = {"Conv1D": 1, "Conv2D": 1, "Conv3D": 1, "Conv2DTranspose": 1, "ConvLSTM2D": 2}
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
