"""What a file is: its kind, its writer, and its layers with their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5_files import DENSE, dense_model, functional, layer, sequential, write_listed, write_model

from packager.errors import ModelFileError, WeightsOnlyError
from packager.h5 import inspect_file, read_model_config
from packager.values import FileKind, Inspection


def parameters(inspection: Inspection) -> dict[str, int]:
    return {summary.name: summary.parameters for summary in inspection.layers}


def test_a_full_model(tmp_path: Path) -> None:
    weights = {"dense": DENSE, "softmax": {}}
    path = write_model(tmp_path / "model.h5", dense_model(layer("Softmax", "softmax")), weights)
    inspection = inspect_file(path)
    assert (inspection.kind, inspection.model_class) == (FileKind.FULL_MODEL, "Sequential")
    assert (inspection.keras_version, inspection.backend) == ("2.4.0", "tensorflow")
    assert inspection.size == path.stat().st_size
    assert parameters(inspection) == {"dense": 10, "softmax": 0}
    kernel, bias = inspection.layers[0].weights
    assert (kernel.path, kernel.shape, kernel.dtype) == (
        "/model_weights/dense/dense/kernel:0",
        (4, 2),
        "float32",
    )
    assert bias.shape == (2,)
    assert inspection.findings == ()


@pytest.mark.parametrize("root", ["/", "/model_weights"])
def test_weights_only(tmp_path: Path, root: str) -> None:
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        group = file.require_group(root)
        group.attrs["keras_version"], group.attrs["backend"] = "2.2.4-tf", "tensorflow"
        write_listed(group, {"dense": DENSE, "dropout": {}, "top_level_model_weights": {}})
    inspection = inspect_file(path)
    assert inspection.kind is FileKind.WEIGHTS
    assert (inspection.keras_version, inspection.backend) == ("2.2.4-tf", "tensorflow")
    assert parameters(inspection) == {"dense": 10, "dropout": 0}
    assert inspection.model_class is None


def test_keras3_weights(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        for group, name, shapes in [
            ("vars", "functional", []),
            ("layers/dense/vars", "head", [(4, 2), (2,)]),
            ("layers/bidirectional/vars", "both", []),
            ("layers/bidirectional/forward_layer/cell/vars", "lstm_cell", [(3, 4), (1, 4), (4,)]),
            ("layers/dropout/vars", "dropout", []),
            ("layers/dropout/seed_generator/vars", "seed_generator", [(2,)]),
            ("layers/sequential/vars", "nest", []),
            ("layers/sequential/layers/dense/vars", "inner", [(2, 2)]),
            ("optimizer/vars", "adam", [(), (4, 2)]),
        ]:
            variables = file.create_group(group)
            variables.attrs["name"] = name
            for number, shape in enumerate(shapes):
                variables[str(number)] = np.ones(shape, "f4")
    inspection = inspect_file(path)
    assert inspection.kind is FileKind.KERAS3_WEIGHTS
    assert parameters(inspection) == {"both": 20, "head": 10, "dropout": 0, "nest": 0, "nest/inner": 4}


def test_keras3_weights_in_their_first_layout_and_of_attributes(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        for number in range(12):
            file[f"_layer_checkpoint_dependencies/dense/vars/{number}"] = np.ones(number)
        file["backbone/conv/vars/0"] = np.ones(5)
        file["vars/0"] = np.ones(3)
    inspection = inspect_file(path)
    assert inspection.kind is FileKind.KERAS3_WEIGHTS
    assert parameters(inspection) == {"dense": 66, "backbone": 5, "/": 3}
    assert [weight.shape for weight in inspection.layers[0].weights] == [(n,) for n in range(12)]


def test_raw_datasets_by_their_group(tmp_path: Path) -> None:
    path = tmp_path / "arrays.h5"
    with h5py.File(path, "w") as file:
        file["w"], file["hidden/w"], file["hidden/b"] = (
            np.ones((3, 3)),
            np.ones((3, 2), ">f4"),
            np.ones(2, "f2"),
        )
        file["names"] = ["a", "b"]
    inspection = inspect_file(path)
    assert inspection.kind is FileKind.RAW
    assert parameters(inspection) == {"/": 11, "hidden": 8}
    assert [(w.path, w.dtype) for w in inspection.layers[1].weights] == [
        ("/hidden/b", "float16"),
        ("/hidden/w", "float32"),
    ]


def test_bfloat16_is_told_by_its_attribute(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/dense/vars/0", data=np.zeros(3, "V2")).attrs["dtype"] = "bfloat16"
        file.create_dataset("layers/dense/vars/1", data=np.zeros(3, "V2"))
    (dense,) = inspect_file(path).layers
    assert [weight.dtype for weight in dense.weights] == ["bfloat16", "void16"]


def test_the_optimizer_is_no_part_of_the_model(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.h5", dense_model(), {"dense": DENSE})
    with h5py.File(path, "r+") as file:
        file["optimizer_weights/Adam/iterations:0"] = 7
        file["optimizer_weights/Adam/dense/kernel/m:0"] = np.ones((4, 2))
    assert inspect_file(path).parameters == 10


def test_nested_models_share_out_their_weights(tmp_path: Path) -> None:
    inner = sequential(layer("Dense", "first"), layer("Dense", "second"))
    inner["config"]["name"] = "block"
    config = functional(
        [["in", 0, 0]], [["block", 0, 0]], layer("InputLayer", "in", batch_input_shape=[None, 3]), inner
    )
    weights = {
        "in": {},
        "block": {"first/kernel:0": (3, 3), "block/second/kernel:0": (3, 1), "other/gamma:0": (2,)},
    }
    inspection = inspect_file(write_model(tmp_path / "model.h5", config, weights))
    assert parameters(inspection) == {"in": 0, "block": 2, "block/first": 9, "block/second": 3}
    assert [summary.class_name for summary in inspection.layers] == [
        "InputLayer",
        "Sequential",
        "Dense",
        "Dense",
    ]


def test_a_wrapped_layer_has_the_wrapper_s_weights(tmp_path: Path) -> None:
    wrapped = layer("TimeDistributed", "outer", layer=layer("Dense", "dense"), batch_input_shape=[None, 5, 4])
    path = write_model(tmp_path / "model.h5", sequential(wrapped), {"outer": {"outer/kernel:0": (4, 2)}})
    assert parameters(inspect_file(path)) == {"outer": 0, "outer/dense": 8}


def test_weights_of_no_layer_are_listed_last(tmp_path: Path) -> None:
    weights = {"dense": DENSE, "gone": {"gone/w": (5,)}, "top_level_model_weights": {"scale": (1,)}}
    inspection = inspect_file(write_model(tmp_path / "model.h5", dense_model(), weights))
    assert parameters(inspection) == {"dense": 10, "gone": 5, "top_level_model_weights": 1}


def test_listed_weights_that_are_missing_are_told(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.h5", dense_model(), {"dense": DENSE})
    with h5py.File(path, "r+") as file:
        del file["model_weights/dense/dense/bias:0"]
    inspection = inspect_file(path)
    assert [(f.rule, f.path) for f in inspection.findings] == [
        ("H5-MISSING-WEIGHTS", "/model_weights/dense/dense/bias:0")
    ]
    assert inspection.parameters == 8


@pytest.mark.parametrize(
    ("recorded", "told", "generation"),
    [
        ("1.2.2", "1.2.2", 1),
        ("2.2.4-tf", "2.2.4-tf", 2),
        ("tfjs-layers v1.2.3", "tfjs-layers v1.2.3", 2),
        ("3.15.1", "3.15.1", 3),
        (None, None, None),
    ],
)
def test_the_writer(tmp_path: Path, recorded: str | None, told: str | None, generation: int | None) -> None:
    path = write_model(tmp_path / "model.h5", dense_model(), {"dense": DENSE}, version=recorded, backend=None)
    inspection = inspect_file(path)
    assert (inspection.keras_version, inspection.keras_generation, inspection.backend) == (
        told,
        generation,
        None,
    )
    assert [f.rule for f in inspection.findings] == ([] if recorded else ["KERAS-VERSION"])


@pytest.mark.parametrize(
    "config",
    [
        sequential(layer("InputLayer", "in", batch_shape=[None, 4]), layer("Dense", "dense")),
        dense_model(dtype={"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}),
    ],
    ids=["batch_shape", "DTypePolicy"],
)
def test_keras3_is_known_by_its_structure(tmp_path: Path, config: dict[str, Any]) -> None:
    unrecorded = inspect_file(write_model(tmp_path / "a.h5", config, version=None))
    assert (unrecorded.keras_version, unrecorded.keras_generation) == ("3.x", 3)
    contradicted = inspect_file(write_model(tmp_path / "b.h5", config, version="2.4.0"))
    assert "records Keras 2.4.0, its architecture is of Keras 3" in contradicted.findings[0].message


def test_custom_classes_and_functions_are_asked_for(tmp_path: Path) -> None:
    config = dense_model(
        layer("GarNet", "garnet", activation="no_business_of_ours"),
        layer("TimeDistributed", "wrapper", layer=layer("my_package>Block", "block")),
        layer("Activation", "activation", activation="sharpen"),
        layer("Lambda", "named", function="normalize", function_type="function"),
        layer("LeakyReLU", "leaky"),
        layer("GarNet", "again"),
        activation={
            "class_name": "function",
            "config": "swoosh",
            "module": "builtins",
            "registered_name": "function",
        },
    )
    inspection = inspect_file(write_model(tmp_path / "model.h5", config))
    assert inspection.custom_classes == ("swoosh", "GarNet", "my_package>Block", "sharpen", "normalize")
    assert inspection.errors == ()
    assert {f.rule for f in inspection.findings} == {"KERAS-CUSTOM-OBJECT"}
    assert inspection.findings[1].path == "model_config/config/layers/1"
    assert [s.name for s in inspection.layers if s.custom] == ["garnet", "wrapper/block", "again"]


def test_operations_of_keras3_are_no_custom_classes_in_its_files_only(tmp_path: Path) -> None:
    config = dense_model(layer("Mean", "mean"))
    assert inspect_file(write_model(tmp_path / "three.h5", config, version="3.4.0")).custom_classes == ()
    assert inspect_file(write_model(tmp_path / "two.h5", config, version="2.4.0")).custom_classes == ("Mean",)


def test_the_config_is_read_as_it_is(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.h5", dense_model(), {"dense": DENSE})
    assert read_model_config(path) == dense_model()


def test_no_config_to_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        write_listed(file, {"dense": DENSE})
    with pytest.raises(WeightsOnlyError, match="holds no architecture"):
        read_model_config(tmp_path / "weights.h5")
    with pytest.raises(ModelFileError, match="model_config is not JSON"):
        read_model_config(write_model(tmp_path / "model.h5", "layers: []"))
