"""What of two answers is called a difference, and that swapped inputs or outputs are one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.tensorflow

DIFFERENCES = """
import json
import numpy as np
from packager.contract import Sample
from packager.errors import ParityError
from packager.savedmodel.parity import compare_answers
from packager.values import Closeness

class Tensor:
    def __init__(self, array):
        self.array = array
    def numpy(self):
        return self.array

def compare(expected, answer, **close):
    sample = Sample(signature="s", inputs={"x": np.zeros(1)}, outputs={"a": expected})
    try:
        (found,) = compare_answers(lambda *_: [{"a": Tensor(answer)}], [sample], close=Closeness(**close))
        return found.largest
    except ParityError as error:
        return error.message

nan, one, text = np.array([np.nan, 1.0]), np.array([1.0, 1.0]), np.array([b"a", b"b"], object)
print(json.dumps([
    compare(nan, nan), compare(one, one + 1e-7), compare(one, one + 0.5, atol=0, rtol=0.6),
    compare(nan, one), compare(one, nan), compare(one, one + 1), compare(one, one + 0.5, atol=0.6, rtol=0),
    compare(text, text), compare(text, text[::-1]), compare(np.arange(2), np.array([0, 2]), atol=9),
    compare(one, one[:1]),
]))
"""

SWAPPED = """
import json, sys
from dataclasses import replace
from pathlib import Path
import tensorflow as tf
from packager.errors import ParityError
from packager.savedmodel.export import export, record_samples
from packager.savedmodel.parity import measure_parity
from packager.values import Closeness, Endpoint, TensorSpec

def calculate(tensors):
    left, right = tensors
    return [left + right, left - 2 * right]

specs = tuple(TensorSpec(name=name, dtype="float32", shape=(None, 3)) for name in ("left", "right"))
right = Endpoint(
    key="serving_default", method="tensorflow/serving/predict", inputs=specs, plain=specs,
    drawn_from=(None, None), outputs=("sum", "difference"), call=calculate,
)
swapped = {
    "right": right,
    "inputs": replace(right, call=lambda tensors: calculate(tensors[::-1])),
    "outputs": replace(right, call=lambda tensors: calculate(tensors)[::-1]),
    "names": replace(right, inputs=specs[::-1]),
}
samples = record_samples([right])
found = {}
for name, endpoint in swapped.items():
    folder = Path(sys.argv[1]) / name
    folder.mkdir()
    export([endpoint], folder)
    try:
        deviations, _ = measure_parity(folder, samples, close=Closeness())
        found[name] = [[d.signature, d.output, d.largest] for d in deviations]
    except ParityError as error:
        found[name] = error.message
print(json.dumps(found))
"""


def ran(program: str, *arguments: object) -> Any:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_close_is_close_and_nan_equals_nan_and_nothing_else() -> None:
    what = "output 'a' of signature 's'"
    same, close, within, *others = ran(DIFFERENCES)
    assert same == 0
    assert 0 < close < 1e-6
    assert within == 0.5
    assert others == [
        f"{what} is NaN where the source model's is not, or the other way round",
        f"{what} is NaN where the source model's is not, or the other way round",
        f"{what} differs by 1 from the source model's",
        0.5,
        0,
        f"{what} is b'b' at [0], the source model's is b'a'",
        f"{what} is 2 at [1], the source model's is 1",
        f"{what} has shape [1], the source model's has [2]",
    ]


def test_swapped_inputs_and_outputs_are_caught(tmp_path: Path) -> None:
    """Inputs of one shape and outputs of one shape: nothing but the answers can tell."""
    found = ran(SWAPPED, tmp_path)
    assert found.pop("right") == [
        ["serving_default", "sum", 0],
        ["serving_default", "difference", 0],
    ]
    assert found.keys() == {"inputs", "outputs", "names"}
    for message in found.values():
        assert " of signature 'serving_default' differs by " in message
