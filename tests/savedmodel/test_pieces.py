"""Large matrices are read piece by piece when a model is asked: right answers in little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from fixtures_command import Run

pytestmark = pytest.mark.tensorflow

ARITHMETIC = """
import json, sys
from dataclasses import replace
from pathlib import Path
import h5py, numpy as np, tensorflow as tf
from packager import pieces
from packager.stored import StoredArray

pieces.PIECE = 4096
matrix = np.random.RandomState(0).normal(size=(300, 70)).astype("f4")
with h5py.File("m.h5", "w") as file:
    file["plain"], _ = matrix, file.create_dataset("packed", data=matrix, chunks=(13, 70), compression="gzip")
with h5py.File("m.h5") as file:
    kinds = [StoredArray.of(file[name]) for name in ("plain", "packed")]
found = {}
for kind in kinds:
    assert pieces.is_large(kind)
    sizes = (2, 300), (3, 4, 300), (0, 300)
    xs = [np.random.RandomState(1).normal(size=size).astype("f4") for size in sizes]
    ys = [x[..., :70] for x in xs]
    indices = [np.array([[0, 299], [5, 5]]), np.array([7], "i8"), np.zeros((0,), "i4")]
    answers = [
        (pieces.multiplied([tf.constant(x) for x in xs], kind), [x @ matrix for x in xs]),
        (pieces.multiplied([tf.constant(y) for y in ys], kind, transposed=True), [y @ matrix.T for y in ys]),
        (pieces.gathered(kind, [tf.constant(i) for i in indices]), [matrix[i] for i in indices]),
    ]
    for number, (got, wanted) in enumerate(answers):
        assert [a.shape.as_list() for a in got] == [list(b.shape) for b in wanted]
        far = max(np.abs(a.numpy() - b).max(initial=0) for a, b in zip(got, wanted))
        found[f"{kind.dataset} {number}"] = float(far)
    try:
        pieces.gathered(kind, [tf.constant([0, 300])])
    except tf.errors.InvalidArgumentError as error:
        found[kind.dataset] = error.message
print(json.dumps(found))
"""

DAMAGED = """
import json, sys
from pathlib import Path
import numpy as np, tensorflow as tf
from packager.errors import ModelFileError
from packager.savedmodel.bundle import BundleWriter
from packager.savedmodel.checkpoint import stored_tensors

values = np.random.RandomState(0).normal(size=(1000, 20)).astype("f4")
with BundleWriter(Path("variables")) as bundle:
    bundle.add_strings("text", (1,), [b"word"])
    bundle.add("w", dtype=1, shape=values.shape, blocks=[values.tobytes()])
tensors = stored_tensors("variables")
assert list(tensors) == ["w"] and (tensors["w"].read() == values).all()
assert (tf.train.load_checkpoint("./variables").get_tensor("w") == values).all()
data = Path("variables.data-00000-of-00001")
content = bytearray(data.read_bytes())
content[-5000] ^= 1
data.write_bytes(content)
try:
    tensors["w"].read()
except ModelFileError as error:
    print(json.dumps(error.message))
"""


def ran(program: str, folder: Path) -> object:
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_pieces_give_the_answers_of_the_whole(tmp_path: Path) -> None:
    found = ran(ARITHMETIC, tmp_path)
    assert isinstance(found, dict)
    for name in ("/plain", "/packed"):
        assert found.pop(name) == "indices 0 to 300 are not all in [0, 300)"
    assert len(found) == 6
    assert max(found.values()) < 1e-4  # of sums of 300 products


def test_a_damaged_checkpoint_is_no_proof(tmp_path: Path) -> None:
    told = ran(DAMAGED, tmp_path)
    assert told == (
        "cannot read 'w' in 'variables.data-00000-of-00001': its bytes are not those that were written"
    )


def write_dense(path: Path, keras: str, inputs: int, units: int) -> None:
    """Write a dense layer, of zeros, the way that version of Keras keeps them."""
    shape = "batch_shape" if keras.startswith("3") else "batch_input_shape"
    layers = [
        {"class_name": "InputLayer", "config": {shape: [None, inputs], "dtype": "float32", "name": "x"}},
        {"class_name": "Dense", "config": {"name": "wide", "units": units}},
    ]
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    with h5py.File(path, "w") as file:
        file.attrs.update(keras_version=keras, backend="tensorflow", model_config=json.dumps(config))
        weights = file.create_group("model_weights")
        weights.attrs.update(keras_version=keras, backend="tensorflow", layer_names=[b"x", b"wide"])
        weights.create_group("x").attrs["weight_names"] = np.zeros((0,), "S1")
        group = weights.create_group("wide")
        group.attrs["weight_names"] = [b"wide/kernel:0", b"wide/bias:0"]
        zeros = np.zeros((inputs, units), np.float32)
        group["wide/kernel:0"], group["wide/bias:0"] = zeros, zeros[0]


@pytest.mark.parametrize("keras", ["3.5.0", "2.15.0"])
def test_a_large_matrix_is_never_in_memory(packager: Run, tmp_path: Path, keras: str) -> None:
    peaks = []
    for name, inputs in (("small", 8), ("large", 12_000)):
        write_dense(tmp_path / f"{name}.h5", keras, inputs, 6_000)
        done = packager("convert", tmp_path / f"{name}.h5", "--name", name, "--json")
        assert done.code == 0, done.err
        assert done.json["parity"] == 0
        peaks.append(done.json["peak_memory"] / 2**20)
    assert peaks[1] - peaks[0] < 24, f"{peaks} MiB, of a matrix of 275 MiB"
