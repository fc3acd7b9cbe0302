"""The checkpoint's files are those of TensorFlow's own writer, byte for byte, and TensorFlow reads them."""

from __future__ import annotations

import random
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from packager.savedmodel.bundle import BundleWriter

pytestmark = pytest.mark.tensorflow

TYPES = [
    *(np.float16, np.float32, np.float64, np.int8, np.int32, np.int64, np.uint8, np.bool_, np.complex64),
    ml_dtypes.bfloat16,
]
SHAPES: list[tuple[int, ...]] = [(), (3,), (2, 3), (0,), (0, 4), (1, 2, 2), (200, 130)]


def test_the_bytes_are_those_of_tensorflow(tmp_path: Path) -> None:
    import tensorflow as tf

    draw, numbers = random.Random(1), np.random.RandomState(0)
    arrays = {
        f"layers/{draw.choice('abcé')}{numbers.randint(10**9)}/{i}" + "x" * draw.choice([0, 0, 30, 9000]): (
            np.asarray(numbers.rand(*draw.choice(SHAPES)) * 10).astype(draw.choice(TYPES))
        )
        for i in range(3000)
    }
    arrays["z\xff"] = np.array([b"text", b"", b"x" * 300], object)
    arrays["_CHECKPOINTABLE_OBJECT_GRAPH"] = np.array(b"graph" * 100, object)
    tensors = {name: tf.constant(array) for name, array in arrays.items()}
    parts, merged, ours = (str(tmp_path / name) for name in ("parts", "merged", "ours"))
    tf.raw_ops.SaveV2(
        prefix=parts,
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=list(tensors.values()),
    )
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=[parts], destination_prefix=merged)
    with BundleWriter(Path(ours)) as bundle:
        for name, array in arrays.items():
            if array.dtype == object:
                bundle.add_strings(name, array.shape, array.ravel().tolist())
            else:
                number = tensors[name].dtype.as_datatype_enum
                bundle.add(name, dtype=number, shape=array.shape, blocks=[array.tobytes()])
    for suffix in (".index", ".data-00000-of-00001"):
        assert Path(ours + suffix).read_bytes() == Path(merged + suffix).read_bytes(), suffix
    reader = tf.train.load_checkpoint(ours)
    for name, array in arrays.items():
        if array.dtype != object:
            assert reader.get_tensor(name).tobytes() == array.tobytes(), name


def test_tensorflow_reads_several_data_files(tmp_path: Path) -> None:
    import tensorflow as tf

    arrays = {f"variable{i}": np.arange(i, i + 1000, dtype=np.float32) for i in range(10)}
    with BundleWriter(tmp_path / "variables", shard=5000) as bundle:
        for name, array in arrays.items():
            bundle.add(name, dtype=1, shape=array.shape, blocks=[array.tobytes()])
        bundle.add_strings("text", (), [b"graph"])
    assert len(list(tmp_path.glob("variables.data-*-of-00006"))) == 6
    reader = tf.train.load_checkpoint(str(tmp_path / "variables"))
    for name, array in arrays.items():
        assert np.array_equal(reader.get_tensor(name), array), name
    assert reader.get_tensor("text") == b"graph"
