"""Files that attack whoever loads them, with payloads that do nothing but leave a mark.

A mark is the file ``marker``, made by code; a secret is a FIFO, on which whoever opens it would wait.
"""

from __future__ import annotations

import base64
import json
import marshal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5g, h5p, h5s, h5t

MODULE = "left_beside_the_model"
"""A module in the folder of the command, that makes a mark when it is imported."""


@dataclass(frozen=True)
class Target:
    """What an attack aims at."""

    marker: Path
    secret: Path


Attack = Callable[[Path, Target], None]
ATTACKS: dict[str, tuple[Attack, str]] = {}
"""By what they try: how to write the file, and the rule that has to find it."""


def layer(class_name: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": name, **config}}


def sequential(*layers: Any) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "model", "layers": list(layers)}}


def marking(marker: Path) -> str:
    """Bytecode that leaves the mark, as Keras stores it."""
    code = eval(compile(f"lambda x: (open({str(marker)!r}, 'w').close(), x)[1]", "model.py", "eval")).__code__
    return base64.encodebytes(marshal.dumps(code)).decode()


def write(
    path: Path, config: Any, *, keras3: bool = False, fill: Callable[[h5py.File], None] | None = None
) -> None:
    """Write a model of one Dense layer, with whatever else there is."""
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["keras_version"] = "3.5.0" if keras3 else "2.4.0"
        file.attrs["backend"] = "tensorflow"
        file.attrs.create("model_config", json.dumps(config), dtype=h5py.string_dtype())
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"dense"]
        weights.create_group("dense").attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        weights["dense/dense/kernel:0"] = np.ones((4, 4), "f4")
        weights["dense/dense/bias:0"] = np.zeros(4, "f4")
        if fill:
            fill(file)


DENSE = layer("Dense", "dense", units=4, activation="linear", batch_input_shape=[None, 4])


def attack(name: str, rule: str) -> Callable[[Attack], Attack]:
    def register(function: Attack) -> Attack:
        ATTACKS[name] = function, rule
        return function

    return register


def config_attack(name: str, rule: str, *, keras3: bool = False) -> Callable[[Callable[[Target], Any]], None]:
    """Register a function that makes the architecture of the file."""

    def register(function: Callable[[Target], Any]) -> None:
        ATTACKS[name] = (lambda path, target: write(path, function(target), keras3=keras3)), rule

    return register


def file_attack(name: str, rule: str) -> Callable[[Callable[[h5py.File, Target], None]], None]:
    """Register a function that puts something into the file of a harmless model."""

    def register(function: Callable[[h5py.File, Target], None]) -> None:
        ATTACKS[name] = (
            (lambda path, target: write(path, sequential(DENSE), fill=lambda file: function(file, target))),
            rule,
        )

    return register


def bytecode(target: Target) -> list[Any]:
    return [marking(target.marker), None, None]


def lambda2(target: Target, **more: Any) -> dict[str, Any]:
    return layer("Lambda", "l", function=bytecode(target), function_type="lambda", **more)


def lambda3(target: Target) -> dict[str, Any]:
    code = {
        "class_name": "__lambda__",
        "config": {"code": marking(target.marker), "defaults": None, "closure": None},
    }
    return {**layer("Lambda", "l", function=code), "module": "keras.layers", "registered_name": None}


@config_attack("a lambda", "KERAS-LAMBDA")
def _(target: Target) -> Any:
    return sequential(DENSE, lambda2(target))


@config_attack("a lambda of Keras 3", "KERAS-LAMBDA", keras3=True)
def _(target: Target) -> Any:
    return sequential(DENSE, lambda3(target))


@config_attack("a lambda in a nested model", "KERAS-LAMBDA")
def _(target: Target) -> Any:
    return sequential(DENSE, sequential(sequential(lambda2(target))))


@config_attack("a lambda in TimeDistributed", "KERAS-LAMBDA")
def _(target: Target) -> Any:
    return sequential(DENSE, layer("TimeDistributed", "t", layer=lambda2(target)))


@config_attack("a lambda as the backward layer", "KERAS-LAMBDA")
def _(target: Target) -> Any:
    return sequential(
        layer("Bidirectional", "b", layer=layer("LSTM", "r", units=2), backward_layer=lambda2(target))
    )


@config_attack("a lambda in a list for a config", "KERAS-LAMBDA")
def _(target: Target) -> Any:
    return {"class_name": "Sequential", "config": [DENSE, lambda2(target)]}


@config_attack("a lambda for an output shape", "KERAS-LAMBDA")
def _(target: Target) -> Any:
    shape = {"output_shape": bytecode(target), "output_shape_type": "lambda"}
    return sequential(DENSE, layer("Lambda", "l", function="abs", function_type="function", **shape))


@config_attack("a lambda for a mask", "KERAS-LAMBDA")
def _(target: Target) -> Any:
    mask = {"mask": bytecode(target), "mask_type": "lambda", "output_shape": None, "output_shape_type": "raw"}
    return sequential(DENSE, layer("Lambda", "l", function="abs", function_type="function", **mask))


@config_attack("a lambda where an initializer is", "KERAS-LAMBDA", keras3=True)
def _(target: Target) -> Any:
    return sequential(
        layer("Dense", "dense", units=4, kernel_initializer=lambda3(target)["config"]["function"])
    )


def functional(entry: dict[str, Any], arguments: dict[str, Any]) -> Any:
    given = {**layer("InputLayer", "x", batch_input_shape=[None, 4]), "name": "x", "inbound_nodes": []}
    called = {**entry, "name": "op", "inbound_nodes": [["x", 0, 0, arguments]]}
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["op", 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "model", "layers": [given, called], **ends}}


@config_attack("a function of TensorFlow that makes folders", "KERAS-TF-FUNCTION")
def _(target: Target) -> Any:
    return functional(layer("TFOpLambda", "op", function="io.gfile.makedirs"), {"path": str(target.marker)})


@config_attack("a function of TensorFlow that writes files", "KERAS-TF-FUNCTION")
def _(target: Target) -> Any:
    entry = layer("TFOpLambda", "op", function="io.write_file")
    return functional(entry, {"filename": str(target.marker), "contents": "x"})


@config_attack("an operation that reads files", "KERAS-TF-FUNCTION")
def _(target: Target) -> Any:
    node = {"name": "op", "op": "ReadFile", "input": [str(target.secret)], "attr": {}}
    return functional(layer("TensorFlowOpLayer", "op", node_def=node, constants={}), {})


IMPORTS: dict[str, dict[str, Any]] = {
    "a module beside the model": {"module": MODULE, "class_name": "Layer", "registered_name": "Layer"},
    "a registered name": {
        "module": "keras.layers",
        "class_name": "Dense",
        "registered_name": f"{MODULE}>Dense",
    },
    "a function of a module": {"module": MODULE, "class_name": "function", "registered_name": "function"},
    "os.system": {"module": "os", "class_name": "function", "registered_name": "function"},
    "exec": {"module": "builtins", "class_name": "function", "registered_name": "function"},
    "a download": {"module": "keras.utils", "class_name": "function", "registered_name": "function"},
    "the switch of safe mode": {
        "module": "keras.config",
        "class_name": "function",
        "registered_name": "function",
    },
}
FUNCTIONS = {
    "a function of a module": "run",
    "os.system": "system",
    "exec": "exec",
    "a download": "get_file",
    "the switch of safe mode": "enable_unsafe_deserialization",
}
for name, reference in IMPORTS.items():
    # A registered name of another package is a custom class, which has to be supplied.
    expected = "KERAS-CUSTOM-OBJECT" if name == "a registered name" else "KERAS-IMPORT"
    inner = FUNCTIONS.get(name) or {"name": "inner"}
    used = layer("TimeDistributed", "t", layer={**reference, "config": inner})
    imported = sequential(DENSE, used)
    config_attack(f"an import: {name}", expected, keras3=True)(lambda _, config=imported: config)


@config_attack("a vocabulary in another file", "KERAS-FILE-ACCESS")
def _(target: Target) -> Any:
    return sequential(layer("StringLookup", "s", vocabulary=str(target.secret)))


@config_attack("a SavedModel elsewhere", "KERAS-FILE-ACCESS", keras3=True)
def _(target: Target) -> Any:
    return sequential(layer("TFSMLayer", "s", filepath=str(target.secret)))


@config_attack("a pickled module of PyTorch", "KERAS-PICKLE", keras3=True)
def _(target: Target) -> Any:
    return sequential(layer("TorchModuleWrapper", "t", module="gASVAAAA"))


@config_attack("an architecture without end", "KERAS-NESTING")
def _(target: Target) -> Any:
    config = DENSE
    for _ in range(200):
        config = sequential(config)
    return config


@file_attack("external storage", "H5-EXTERNAL-STORAGE")
def _(file: h5py.File, target: Target) -> None:
    del file["model_weights/dense/dense/bias:0"]
    file.create_dataset("model_weights/dense/dense/bias:0", (4,), "f4", external=[(target.secret, 0, 16)])


@file_attack("a virtual dataset", "H5-VIRTUAL-DATASET")
def _(file: h5py.File, target: Target) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource(target.secret, "secret", (4,))
    file.create_virtual_dataset("model_weights/dense/dense/other:0", layout)


@file_attack("a virtual dataset without end", "H5-VIRTUAL-DATASET")
def _(file: h5py.File, target: Target) -> None:
    space = h5s.create_simple((10, 100), (h5s.UNLIMITED, 100))
    space.select_hyperslab((0, 0), (h5s.UNLIMITED, 1), (1, 1), (1, 100))
    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_virtual(space, bytes(target.secret), b"secret%b", h5s.create_simple((100,)))
    whole = h5s.create_simple((10, 100), (h5s.UNLIMITED, 100))
    h5d.create(file.id, b"virtual", h5t.STD_U8LE, whole, properties)


@file_attack("a soft link", "H5-SOFT-LINK")
def _(file: h5py.File, target: Target) -> None:
    file["model_weights/dense/link"] = h5py.SoftLink("/model_weights")


@file_attack("a link into another file", "H5-EXTERNAL-LINK")
def _(file: h5py.File, target: Target) -> None:
    file["model_weights/dense/link"] = h5py.ExternalLink(target.secret, "/")


@file_attack("a declared size of 4 TB", "H5-DECLARED-SIZE")
def _(file: h5py.File, target: Target) -> None:
    file.create_dataset("model_weights/dense/dense/other:0", (10**6, 10**6), "f4", chunks=(1000, 1000))


@file_attack("a compression bomb", "H5-COMPRESSION-BOMB")
def _(file: h5py.File, target: Target) -> None:
    data = file.create_dataset("bomb", (10**9,), "f4", chunks=(10**7,), compression="gzip")
    data[: 10**7] = 0


@file_attack("more objects than any model has", "H5-TOO-MANY-OBJECTS")
def _(file: h5py.File, target: Target) -> None:
    for number in range(60_000):
        h5g.create(file.id, b"%d" % number)


@file_attack("groups without end", "H5-TOO-MANY-OBJECTS")
def _(file: h5py.File, target: Target) -> None:
    group: Any = file
    for _ in range(100):
        group = group.create_group("g")
