"""A model that cannot be asked while its weights are in the file is asked in the ordinary way; it is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures_command import Run

pytestmark = pytest.mark.tensorflow

LAYER = '''
import tensorflow as tf
import tf_keras

class Odd(tf_keras.layers.Layer):
    """Reads its weight inside a function of its own."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units

    def build(self, shape):
        self.kernel = self.add_weight(name="kernel", shape=(shape[-1], self.units))
        self.built = True

    @tf.function
    def multiply(self, x):
        return tf.matmul(x, self.kernel)

    def call(self, x):
        return self.multiply(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}
'''
SAVE = """
import odd, tf_keras
tf_keras.Sequential([tf_keras.layers.Input((200,)), odd.Odd(300), tf_keras.layers.Dense(2)]).save("odd.h5")
"""

WITH_A_TABLE = """
import tensorflow as tf

class Odd(tf.keras.layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, default_value=-1.0)
        self.table.insert(tf.range(3, dtype=tf.int64), [5.0, 6.0, 7.0])

    def call(self, x):
        return tf.ensure_shape(self.table.lookup(tf.cast(x, tf.int64)), x.shape)
"""
WITH_ONE_NAME_TWICE = """
import tensorflow as tf

HALVES = []  # which no layer tracks

class Odd(tf.keras.layers.Layer):
    def call(self, x):
        if not HALVES:
            with tf.init_scope():
                HALVES.extend(tf.Variable(value, name="half") for value in (3.0, 4.0))
        return x * HALVES[0] + HALVES[1]
"""
SAVE_ODD = """
import odd, tf_keras
tf_keras.Sequential([tf_keras.layers.Input((4,)), odd.Odd(), tf_keras.layers.Dense(2)]).save("odd.h5")
"""
ASK = """
import sys
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
(answer,) = model.signatures["serving_default"](tf.constant([[0.0, 1.0, 2.0, 9.0]])).values()
kernel, = (v.numpy() for v in model.signatures["serving_default"].variables if v.shape.rank == 2)
print(float(np.abs(answer.numpy() - np.array(eval(sys.argv[2]), "f4") @ kernel).max()))
"""


@pytest.mark.parametrize(
    ("layer", "reason", "inner"),
    [
        (WITH_A_TABLE, "tables are restored beside the variables", [5, 6, 7, -1]),
        (WITH_ONE_NAME_TWICE, "two variables have one name", [4, 7, 10, 31]),
    ],
)
def test_tensorflows_builder_writes_what_the_direct_one_cannot(
    packager: Run, tmp_path: Path, layer: str, reason: str, inner: list[int]
) -> None:
    (tmp_path / "odd.py").write_text(layer)

    def ran(program: str, *arguments: object) -> str:
        command = [sys.executable, "-c", program, *map(str, arguments)]
        environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1"}
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    ran(SAVE_ODD)
    done = packager("convert", "odd.h5", "--name", "m", "--custom-objects", "odd.py", "-v", "--json")
    assert done.code == 0, done.err
    told = f"TensorFlow's builder wrote how to restore: {reason}"
    assert done.json["fallbacks"] == [told]
    assert told in done.err
    assert float(ran(ASK, tmp_path / "models/m/1", inner)) < 1e-5


def test_weights_are_held_where_a_layer_reads_them_by_itself(packager: Run, tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(LAYER)
    subprocess.run(
        [sys.executable, "-c", SAVE],
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    done = packager("convert", "odd.h5", "--name", "m", "--custom-objects", "odd.py", "-v", "--json")
    assert done.code == 0, done.err
    (fallback,) = done.json["fallbacks"]
    assert fallback.startswith("the weights were held in memory, for otherwise the model answers no request")
    assert "the weights were held in memory" in done.err
    assert done.json["parity"] <= 1e-6
    names = [stage["name"] for stage in done.json["stages"]]
    assert names[:3] == ["inspecting the file", "importing TensorFlow", "rebuilding the model"]
    assert done.json["peak_memory"] > 100 * 2**20
    assert "MiB of memory at most" in done.err
