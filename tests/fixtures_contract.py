"""Version folders made of a contract and a graph, without TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from packager.contract import Contract, Sample
from packager.protocol import message
from packager.values import Signature, TensorSpec


def contract() -> Contract:
    signature = Signature(
        key="serving_default",
        method="tensorflow/serving/predict",
        inputs=(TensorSpec(name="a/b", dtype="float32", shape=(None, 2)),),
        outputs=(TensorSpec(name="label", dtype="string", shape=(None,)),),
    )
    sample = Sample(
        signature="serving_default",
        inputs={"a/b": np.array([[1.5, np.nan], [0.1, -2]], np.float32)},
        outputs={"label": np.array([b"yes", b"not at all"], object)},
    )
    return Contract(
        source="m.h5",
        source_sha256="0" * 64,
        tensorflow="2.20.0",
        loader="keras 3",
        signatures=(signature,),
        samples=(sample,),
    )


def write_graph(folder: Path, *, tag: str = "serve") -> None:
    """Write a ``saved_model.pb`` with one signature, ``x`` to ``y``."""
    document = message("SavedModel")()
    graph = document.meta_graphs.add()
    graph.meta_info_def.tags.append(tag)
    graph.meta_info_def.tensorflow_version = "2.19.1"
    made = graph.signature_def["serving_default"]
    made.method_name = "tensorflow/serving/predict"
    for infos, name, kind in ((made.inputs, "x", 1), (made.outputs, "y", 7)):
        infos[name].dtype = kind
        infos[name].tensor_shape.dim.add(size=-1)
    graph.signature_def["__saved_model_init_op"].outputs["op"].name = "NoOp"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").write_bytes(document.SerializeToString())
