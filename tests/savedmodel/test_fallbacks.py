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
