"""Write models with Lambda layers of one Keras into a folder, with the answers of the models.

Run as a program: ``make_lambdas.py keras|tf_keras FOLDER MARKER``. The lambda of ``marking`` makes the file
MARKER whenever it runs.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

library, folder, marker = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
keras = importlib.import_module(library)
layers = keras.layers
RANDOM = np.random.RandomState(5)


def model(*stack):
    return keras.Sequential([layers.Input((4,), name="given"), *stack, layers.Dense(3, name="last")])


def closing_over(factor):
    return layers.Lambda(lambda x: x * factor, name="by")


def doubled(x, times=2):
    return x * times


MODELS = {
    "named": model(layers.Lambda(doubled, name="named", arguments={"times": 3})),
    "affine": model(layers.Lambda(lambda x: x / 127.5 - 1.0, name="scale")),
    "wrapped": keras.Sequential(
        [layers.Input((2, 4)), layers.TimeDistributed(layers.Lambda(lambda x: 1 - 2 * x, name="turn"))]
    ),
    "nested": model(
        keras.Sequential([layers.Input((4,)), layers.Lambda(lambda x: x * 3 + x, name="four")], name="inner")
    ),
    "squares": model(layers.Lambda(lambda x: tf.square(x) + 1, output_shape=(4,), name="squares")),
    "shaped": model(layers.Lambda(lambda x: tf.abs(x), output_shape=lambda s: s, name="shaped")),
    "closure": model(closing_over(2.5)),
    "marking": model(
        layers.Lambda(eval(f"lambda x: (open({marker!r}, 'w').close(), x * x)[1]"), name="marking")
    ),
}
for name, made in MODELS.items():
    made.set_weights([RANDOM.uniform(-1, 1, w.shape).astype("f4") for w in made.get_weights()])
    given = RANDOM.uniform(0, 1, (3, *made.inputs[0].shape[1:])).astype("f4")
    made.save(folder / f"{name}.h5")
    np.savez(folder / f"{name}.npz", given=given, answer=np.asarray(made(given, training=False)))
Path(marker).unlink()
