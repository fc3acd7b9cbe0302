"""Architectures that would run, import or read something are found out, at any depth."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import h5py
import pytest
from h5_files import dense_model, functional, layer, sequential, write_model

from packager.errors import UnsafeFileError, UsageError
from packager.h5 import admit, inspect_file
from packager.values import Finding, Severity, Supplied

BYTECODE = ["4wEAAAA=\n", None, None]
LAMBDA = layer("Lambda", "l", function=BYTECODE, function_type="lambda")
LAMBDA3 = layer(
    "Lambda", "l", function={"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "closure": None}}
)


def errors(tmp_path: Path, *layers: Any, config: Any = None, **options: Any) -> tuple[Finding, ...]:
    path = write_model(tmp_path / "model.h5", config or dense_model(*layers))
    return inspect_file(path, **options).errors


def function(name: str, module: str | None) -> dict[str, Any]:
    return {"class_name": "function", "config": name, "module": module, "registered_name": "function"}


NESTED = sequential(layer("Dense", "d"), sequential(layer("TimeDistributed", "t", layer=LAMBDA)))


@pytest.mark.parametrize(
    ("config", "path"),
    [
        (dense_model(LAMBDA), "/config/layers/1/config/function"),
        (dense_model(LAMBDA3), "/config/layers/1/config/function"),
        (
            sequential(layer("TimeDistributed", "t", layer=LAMBDA)),
            "/config/layers/0/config/layer/config/function",
        ),
        (
            NESTED,
            "/config/layers/1/config/layers/0/config/layer/config/function",
        ),
        ({"class_name": "Sequential", "config": [LAMBDA]}, "/config/0/config/function"),
        (functional([["l", 0, 0]], [["l", 0, 0]], LAMBDA), "/config/layers/0/config/function"),
        (
            dense_model(
                layer(
                    "Lambda",
                    "l",
                    function="f",
                    function_type="function",
                    output_shape=BYTECODE,
                    output_shape_type="lambda",
                )
            ),
            "/config/layers/1/config/output_shape",
        ),
        (
            dense_model(
                layer(
                    "Lambda", "l", function="f", function_type="function", mask=BYTECODE, mask_type="lambda"
                )
            ),
            "/config/layers/1/config/mask",
        ),
        (
            dense_model(layer("Merge", "m", mode="c\x01\0", mode_type="lambda")),
            "/config/layers/1/config/mode",
        ),
        (dense_model(layer("Lambda", "l", function=BYTECODE)), "/config/layers/1/config/function"),
        (
            dense_model(layer("Lambda", "l", function="c\x01\0\0", function_type="raw")),
            "/config/layers/1/config/function",
        ),
        (
            dense_model(layer("my>Lambda", "l", function=BYTECODE, function_type="lambda")),
            "/config/layers/1/config/function",
        ),
        (
            dense_model(kernel_initializer=LAMBDA3["config"]["function"]),
            "/config/layers/0/config/kernel_initializer",
        ),
    ],
)
def test_bytecode_is_found_wherever_it_is(tmp_path: Path, config: Any, path: str) -> None:
    found = errors(tmp_path, config=config)
    assert {(finding.rule, finding.path) for finding in found} == {("KERAS-LAMBDA", f"model_config{path}")}
    assert "was not executed" in found[0].message


SCALES = (
    "4wEAAAAAAAAAAQAAAAIAAABDAAAAcwwAAAB8AABkAQAbZAIAGFMpA07nAAAAAADgX0DnAAAAAAAA8D+pACkB2gF4cgMAAAByAwAA\
APoHcnVuNS5wedoIPGxhbWJkYT5IAAAAcwAAAAA="
)
"""``lambda x: x / 127.5 - 1.0`` of Python 3.5."""


def scaling(**more: Any) -> dict[str, Any]:
    return layer("Lambda", "scale", function=[SCALES, None, None], function_type="lambda", **more)


def test_a_lambda_that_scales_is_a_note_and_becomes_a_rescaling_layer(tmp_path: Path) -> None:
    shape = {"output_shape": BYTECODE, "output_shape_type": "lambda"}
    config = dense_model(scaling(dtype="float32"), layer("TimeDistributed", "t", layer=scaling(**shape)))
    path = write_model(tmp_path / "model.h5", config)
    found = inspect_file(path).findings
    assert [(f.rule, f.severity, f.layer) for f in found] == [
        ("KERAS-LAMBDA-AFFINE", Severity.NOTE, "scale")
    ] * 2
    assert "is rebuilt as a Rescaling layer: 0.00784314 * x - 1" in found[0].message
    _, settled = admit(path, Supplied())
    assert settled is not None
    first, second = settled["config"]["layers"][1:]
    assert first["class_name"] == "Rescaling"
    assert first["config"] == {"name": "scale", "dtype": "float32", "scale": 1 / 127.5, "offset": -1.0}
    assert second["config"]["layer"]["class_name"] == "Rescaling"


@pytest.mark.parametrize(
    "more",
    [{"arguments": {"y": 1}}, {"mask": BYTECODE, "mask_type": "lambda"}, {"function": [SCALES, [1], None]}],
)
def test_a_lambda_that_takes_more_than_its_input_is_not_lifted(tmp_path: Path, more: Any) -> None:
    entry = scaling()
    entry["config"] |= more
    assert "KERAS-LAMBDA" in [finding.rule for finding in errors(tmp_path, entry)]


def test_a_lambda_that_the_user_answers_for_is_not_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.h5", dense_model(LAMBDA, scaling()))
    by_name = Supplied(lambdas=(("l", "mine:f"), ("scale", "mine:g")))
    inspection, settled = admit(path, by_name)
    assert inspection.findings == ()
    assert settled is not None
    assert [entry["config"]["function"] for entry in settled["config"]["layers"][1:]] == [
        "lambda:l",
        "lambda:scale",
    ]
    with pytest.raises(UnsafeFileError, match="nor can this Python"):
        admit(path, Supplied(allow_unsafe_lambda=True))
    with pytest.raises(UsageError, match="no Lambda layer 'dense' to replace"):
        admit(path, Supplied(lambdas=(("dense", "mine:f"),)))


def test_bytecode_is_told_by_its_layer(tmp_path: Path) -> None:
    named = layer("Lambda", "scale", function=["4wEAAAA=", None, None], function_type="lambda")
    assert errors(tmp_path, named)[0].message == "layer 'scale' holds Python bytecode; it was not executed"


@pytest.mark.parametrize("entry", ["TFOpLambda", "SlicingOpLambda"])
@pytest.mark.parametrize(
    "symbol",
    [
        "io.gfile.makedirs",
        "io.write_file",
        "compat.v1.gfile.Copy",
        "py_function",
        "compat.v1.py_func",
        "numpy_function",
        "load_op_library",
        "raw_ops.ReadFile",
        "print",
        "keras.utils.get_file",
        "keras.backend.clear_session",
        "nn.fixed_unigram_candidate_sampler",
        "random.set_seed",
        "math.add.__globals__",
        "",
        None,
        ["math.add"],
    ],
)
def test_tensorflow_functions_are_refused_unless_they_only_compute(
    tmp_path: Path, entry: str, symbol: Any
) -> None:
    assert [f.rule for f in errors(tmp_path, layer(entry, "op", function=symbol))] == ["KERAS-TF-FUNCTION"]


@pytest.mark.parametrize(
    "symbol",
    [
        "math.add",
        "__operators__.getitem",
        "compat.v1.transpose",
        "nn.relu",
        "clip_by_value",
        "image.resize",
        "concat",
        "keras.backend.mean",
    ],
)
def test_tensorflow_functions_that_compute_pass(tmp_path: Path, symbol: str) -> None:
    assert errors(tmp_path, layer("TFOpLambda", "op", function=symbol)) == ()


@pytest.mark.parametrize(
    ("entry", "allowed"),
    [
        (layer("TensorFlowOpLayer", "op", node_def={"op": "Transpose"}), True),
        (layer("TensorFlowOpLayer", "op", node_def={"op": "ReadFile"}), False),
        (layer("TensorFlowOpLayer", "op", node_def="\n\x01x\x12\x08ReadFile"), False),
        (layer("InstanceMethod", "op", attr_name="to_tensor"), True),
        (layer("InstanceMethod", "op", attr_name="__class__"), False),
        (layer("InstanceProperty", "op", attr_name="flat_values"), True),
        (layer("InstanceProperty", "op", attr_name="graph"), False),
        (layer("ClassMethod", "op", cls_symbol="RaggedTensor", method_name="from_row_splits"), True),
        (layer("ClassMethod", "op", cls_symbol="io.gfile.GFile", method_name="from_"), False),
    ],
)
def test_other_layers_made_of_tensorflow_calls(tmp_path: Path, entry: Any, allowed: bool) -> None:
    assert [f.rule for f in errors(tmp_path, entry)] == ([] if allowed else ["KERAS-TF-FUNCTION"])


IMPORTS = [
    function("system", "os"),
    function("exec", "builtins"),
    function("str.format", "builtins"),
    function("get_file", "keras.utils"),
    function("load_model", "keras.models"),
    function("deserialize", "keras.losses"),
    function("run", "tf_kerasevil"),
    function("run", "kerasevil.ops"),
    function("anything", "some_package.module"),
    {"class_name": "Popen", "module": "subprocess", "config": {"args": "id"}, "registered_name": None},
    {"class_name": "Dense", "module": "my_package", "config": {}, "registered_name": "my_package>Dense"},
    {"class_name": "dict", "module": "builtins", "config": {}, "registered_name": None},
    {"class_name": "load_model", "module": "keras.models", "config": {}, "registered_name": None},
    {"class_name": "Core.Lambda", "module": "keras.layers", "config": {}, "registered_name": None},
    {"class_name": "enable", "module": "keras.config", "config": {}, "registered_name": None},
    {
        "class_name": "__typespec__",
        "spec_name": "system",
        "module": "os",
        "config": [],
        "registered_name": None,
    },
]


@pytest.mark.parametrize(
    "reference", IMPORTS, ids=lambda r: f"{r['module']}.{r['config'] or r['class_name']}"
)
@pytest.mark.parametrize("place", ["activation", "layer", "deep"])
def test_imports_from_outside_keras_are_refused(tmp_path: Path, reference: Any, place: str) -> None:
    entries = {
        "activation": layer("Dense", "d", activation=reference),
        "layer": layer("TimeDistributed", "t", layer=reference),
        "deep": sequential(
            layer("Dense", "d", kernel_initializer={"class_name": "Zeros", "config": {"x": [[reference]]}})
        ),
    }
    assert [f.rule for f in errors(tmp_path, entries[place])] == ["KERAS-IMPORT"]


def test_no_function_of_python_itself_passes_as_one_of_keras(tmp_path: Path) -> None:
    names = [name for name in dir(builtins) if name[0].islower()]
    layers = [layer("Dense", name, activation=function(name, "builtins")) for name in names]
    found = errors(tmp_path, *layers)
    assert [(f.rule, f.path) for f in found] == [
        ("KERAS-IMPORT", f"model_config/config/layers/{place}/config/activation")
        for place in range(1, len(names) + 1)
    ]


@pytest.mark.parametrize(
    "reference",
    [
        function("relu", "builtins"),
        function("relu", None),
        function("softplus", "keras.activations"),
        function("mean", "keras.ops"),
        {
            "class_name": "GlorotUniform",
            "module": "keras.initializers",
            "config": {},
            "registered_name": None,
        },
        {
            "class_name": "LSTM",
            "module": "keras.src.layers.rnn.lstm",
            "config": {},
            "registered_name": "LSTM",
        },
        {
            "class_name": "Functional",
            "module": "tf_keras.src.engine.functional",
            "config": {},
            "registered_name": "Functional",
        },
        {
            "class_name": "Constant",
            "module": "tensorflow.python.ops.init_ops_v2",
            "config": {"value": 1.0},
            "registered_name": "Constant",
        },
        {
            "class_name": "DTypePolicy",
            "module": "keras",
            "config": {"name": "float32"},
            "registered_name": None,
        },
        {"class_name": "LayerOfTomorrow", "module": "keras.layers", "config": {}, "registered_name": None},
        {"class_name": "Block", "module": None, "config": {}, "registered_name": "my_package>Block"},
    ],
    ids=lambda r: f"{r['module']}.{r['class_name']}",
)
def test_references_to_keras_and_to_what_is_supplied_pass(tmp_path: Path, reference: Any) -> None:
    assert errors(tmp_path, layer("TimeDistributed", "t", layer=reference)) == ()


def test_what_the_user_supplies_is_not_imported(tmp_path: Path) -> None:
    block = {
        "class_name": "Block",
        "module": "my_package.layers",
        "config": {},
        "registered_name": "my_package>Block",
    }
    entries = (
        layer("TimeDistributed", "t", layer=block),
        layer("Dense", "d", activation=function("act", "mine")),
    )
    assert [f.rule for f in errors(tmp_path, *entries)] == ["KERAS-IMPORT"] * 2
    assert errors(tmp_path, *entries, supplied=["my_package>Block", "act"]) == ()
    assert errors(tmp_path, *entries, supplied=["Block", "act"]) == ()


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        (layer("StringLookup", "s", vocabulary="/etc/passwd"), "KERAS-FILE-ACCESS"),
        (layer("IntegerLookup", "s", vocabulary="/etc/passwd"), "KERAS-FILE-ACCESS"),
        (layer("TextVectorization", "s", vocabulary="http://example.com/"), "KERAS-FILE-ACCESS"),
        (
            layer(
                "DenseFeatures",
                "f",
                feature_columns=[{"class_name": "V", "config": {"vocabulary_file": "/etc/passwd"}}],
            ),
            "KERAS-FILE-ACCESS",
        ),
        (layer("TFSMLayer", "s", filepath="/tmp/saved_model"), "KERAS-FILE-ACCESS"),
        (layer("TorchModuleWrapper", "t", module="gASV"), "KERAS-PICKLE"),
    ],
)
def test_layers_that_read_files_or_pickles_are_refused(tmp_path: Path, entry: Any, rule: str) -> None:
    assert [f.rule for f in errors(tmp_path, entry)] == [rule]


def test_a_vocabulary_in_the_config_passes(tmp_path: Path) -> None:
    entries = [
        layer("StringLookup", "s", vocabulary=["a", "b"]),
        layer("TextVectorization", "t", vocabulary=None),
    ]
    assert errors(tmp_path, *entries) == ()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("not json", "KERAS-CONFIG"),
        ("", "KERAS-CONFIG"),
        ("[]", "KERAS-CONFIG"),
        ('{"config": {}}', "KERAS-CONFIG"),
        ('{"class_name": 3}', "KERAS-CONFIG"),
        ("[" * 500_000, "KERAS-NESTING"),
        ('{"class_name": "M", "config":' * 200 + "{}" + "}" * 200, "KERAS-NESTING"),
    ],
)
def test_a_config_that_is_none(tmp_path: Path, text: str, rule: str) -> None:
    (finding,) = errors(tmp_path, config=text or " ")
    assert (finding.rule, finding.path) == (rule, "model_config")


def test_a_model_nested_in_models_passes(tmp_path: Path) -> None:
    config = dense_model()
    for _ in range(20):
        config = sequential(config)
    assert errors(tmp_path, config=config) == ()


@pytest.mark.parametrize("text", ["3.5", "null", '"adam"', "[]", "{", "[[1]]"])
def test_any_training_config_passes(tmp_path: Path, text: str) -> None:
    path = write_model(tmp_path / "model.h5", dense_model())
    with h5py.File(path, "r+") as file:
        file.attrs["training_config"] = text
    assert inspect_file(path).findings == ()


def test_what_compiling_would_run_is_a_warning(tmp_path: Path) -> None:

    path = write_model(tmp_path / "model.h5", dense_model())
    with h5py.File(path, "r+") as file:
        file.attrs["training_config"] = (
            '{"loss": {"class_name": "function", "module": "os", "config": "system"}}'
        )
    inspection = inspect_file(path)
    assert inspection.errors == ()
    (finding,) = inspection.findings
    assert (finding.rule, finding.severity) == ("KERAS-IMPORT", Severity.WARNING)
    assert finding.path == "training_config/loss"
    assert "is not loaded" in finding.message
