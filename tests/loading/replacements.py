"""Functions that users name for Lambda layers."""

from __future__ import annotations

import tensorflow as tf


def squares(x):
    return tf.square(x) + 1


def doubled(x, times=2):
    return x * times


NO_FUNCTION = 3
