"""The OpenAPI document is valid by the specification's own schema, whatever the signatures are."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from packager.contract import ExampleCall
from packager.contract.openapi import openapi_document
from packager.contract.schemas import row_of, tensor
from packager.values import Signature, TensorSpec


def spec(name: str, dtype: str = "float32", *shape: int | None) -> TensorSpec:
    return TensorSpec(name=name, dtype=dtype, shape=shape)


def signature(key: str, method: str, *tensors: TensorSpec) -> Signature:
    return Signature(key=key, method=f"tensorflow/serving/{method}", inputs=tensors, outputs=tensors)


SIGNATURES = (
    signature("serving_default", "predict", spec("x", "float32", None, 2), spec("n/a", "int64", None)),
    signature("an odd/key", "predict", spec("one", "string", None)),
    signature("scalar", "predict", spec("s", "bool")),
    signature("classify", "classify", spec("inputs", "string", None)),
    signature("regress", "regress", spec("inputs", "string", None)),
)
CALLS = (ExampleCall(signature="an odd/key", interface="predict", row={"instances": ["a"]}),)


def test_it_is_a_valid_document() -> None:
    document = openapi_document("a model", 3, SIGNATURES, CALLS)
    OpenAPIV31SpecValidator(json.loads(json.dumps(document))).validate()
    assert sorted(document["paths"]) == [
        "/v1/models/a%20model",
        "/v1/models/a%20model/metadata",
        "/v1/models/a%20model:classify",
        "/v1/models/a%20model:predict",
        "/v1/models/a%20model:regress",
    ]
    assert document["info"]["version"] == "3"
    content = document["paths"]["/v1/models/a%20model:predict"]["post"]["requestBody"]["content"]
    assert content["application/json"]["examples"] == {"an_odd_key.row": {"value": {"instances": ["a"]}}}


def test_a_scalar_has_no_row_form() -> None:
    schemas = openapi_document("m", None, SIGNATURES, ())["components"]["schemas"]
    assert "scalar.columnar.request" in schemas
    assert "scalar.row.request" not in schemas


@pytest.mark.parametrize(
    ("dtype", "right", "wrong"),
    [
        ("float32", [[0.5, 1], [2, 3]], [[0.5, True], [2, 3]]),
        ("int8", [[-128, 127], [0, 0]], [[-129, 0], [0, 0]]),
        ("uint8", [[0, 255], [0, 0]], [[-1, 0], [0, 0]]),
        ("bool", [[True, False], [True, True]], [[1, 0], [0, 0]]),
        ("string", [["a", {"b64": "YQ=="}], ["b", "c"]], [["a", {"b64": "YQ==", "more": 1}], ["b", "c"]]),
        ("float32", [[1, 2]], [[1, 2, 3]]),
    ],
)
def test_tensors_are_nested_arrays_of_their_types_and_sizes(dtype: str, right: object, wrong: object) -> None:
    schema = Draft202012Validator(tensor(spec("x", dtype, None, 2)))
    assert schema.is_valid(right)
    assert not schema.is_valid(wrong)


def test_a_row_goes_without_the_batch() -> None:
    assert Draft202012Validator(row_of(spec("x", "float32", None, 2))).is_valid([1.0, 2.0])


def test_inputs_that_are_missing_or_unknown_are_no_requests() -> None:
    document = openapi_document("m", 1, SIGNATURES, ())
    schema = Draft202012Validator(document["components"]["schemas"]["serving_default.row.request"])
    assert schema.is_valid({"instances": [{"x": [1, 2], "n/a": 3}]})
    assert not schema.is_valid({"instances": [{"x": [1, 2]}]})
    assert not schema.is_valid({"instances": [{"x": [1, 2], "n/a": 3, "z": 0}]})
    assert not schema.is_valid({"instances": []})
