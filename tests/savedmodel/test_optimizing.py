"""Batch normalisation folded into the weights before it: the same answers, told and measured."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures_command import OLD_PROCESSOR, Run

pytestmark = pytest.mark.tensorflow

SAVE = """
import importlib, sys
import numpy as np
k = importlib.import_module(sys.argv[1])
layers = k.layers

def normalized(x, name, **options):
    return layers.BatchNormalization(name=name, **options)(x)

given = layers.Input((8, 8, 3), name="image")
x = normalized(layers.Conv2D(100, 3, use_bias=False)(given), "after_conv")
x = layers.Conv2D(200, 3)(layers.ReLU()(x))  # its kernel stays in the file
x = normalized(x, "after_biased", scale=False)
x = normalized(layers.DepthwiseConv2D(2, depth_multiplier=2)(x), "after_depthwise", center=False)
x = normalized(layers.Activation("relu")(x), "after_relu")
read_twice = layers.Conv2D(4, 1)(x)
x = layers.Concatenate()([normalized(read_twice, "beside_another_reader"), read_twice])
x = normalized(layers.Conv2D(4, 1, activation="relu")(x), "after_activated")
x = layers.GlobalAveragePooling2D()(x)
answer = normalized(layers.Dense(5, name="scores")(x), "after_dense")
model = k.Model(given, [answer, layers.Dense(2, name="other")(x)])
rs = np.random.RandomState(0)
for layer in model.layers:
    normal = isinstance(layer, layers.BatchNormalization)
    shapes = [w.shape for w in layer.get_weights()]
    layer.set_weights([rs.uniform(0.5, 1.5, s) if normal else rs.normal(0, 0.1, s) for s in shapes])
model.save("m.h5")
"""
FOLDED = ["after_conv", "after_biased", "after_depthwise", "after_dense"]
LEFT = ["after_relu", "beside_another_reader", "after_activated"]


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_what_can_be_folded_is(packager: Run, tmp_path: Path, library: str) -> None:
    environment = {"KERAS_BACKEND": "tensorflow", "TF_USE_LEGACY_KERAS": str(int(library == "tf_keras"))}
    subprocess.run(
        [sys.executable, "-c", SAVE, library],
        env={**os.environ, **environment},
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    done = packager("convert", "m.h5", "--name", "m", "--optimize", "--json")
    assert done.code == 0, done.err
    gain = done.json["optimization"]
    assert gain["folded"] == FOLDED
    assert 0 < done.json["parity"] <= 1e-5
    for cost in (gain["before"], gain["after"]):
        assert 0 < cost["load_seconds"] < 60
        assert 0 < cost["latency_ms"] < 60_000
    assert gain["after"]["size"] < gain["before"]["size"]
    how = {binding["variable"].rpartition("/")[0]: binding["transform"] for binding in done.json["bindings"]}
    assert how["scores"] == "copy, scaled by after_dense"
    assert how["after_dense"] == "copy, folded into scores"
    assert how["other"] == "copy"
    graph = (tmp_path / "models/m/1/saved_model.pb").read_bytes()
    kept = [name for name in (*FOLDED, *LEFT) if f"{name}/moving_mean".encode() in graph]
    assert kept == LEFT
    again = packager(
        *("convert", "m.h5", "--name", "m", "--optimize", "--verify", "models/m/1"), **OLD_PROCESSOR
    )
    assert again.code == 0, again.err
    strict = packager("convert", "m.h5", "--name", "m", "--optimize", "--atol", 0, "--rtol", 0)
    assert "optimized, output 'after_dense' of signature 'serving_default' differs by" in strict.err
    assert "convert without --optimize" in strict.err
    assert not (tmp_path / "models/m/2").exists()


def test_a_savedmodel_has_no_layers_to_optimize(packager: Run, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given/saved_model.pb").write_bytes(b"")
    done = packager("convert", "given", "--name", "m", "--optimize")
    assert done.code != 0
    assert not (tmp_path / "models").exists()
