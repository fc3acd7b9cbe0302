"""Functions that users name for Lambda layers."""

from __future__ import annotations

import tensorflow as tf


def squares(x):
    return tf.square(x) + 1


NO_FUNCTION = 3
