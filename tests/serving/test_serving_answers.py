"""REST answers byte for byte: what clients of TensorFlow Serving get from it, and now from this server."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from embedded_server import Served

pytestmark = pytest.mark.tensorflow


def error(message: str) -> bytes:
    return b'{\n    "error": %s\n}' % json.dumps(message, ensure_ascii=False).encode()


ANSWERS = {
    "row": ("affine:predict", '{"instances": [1.0, 2, 5]}', """{
    "predictions": [3.5, 4.0, 5.5
    ]
}"""),
    "row of a version": ("affine/versions/1:predict", '{"instances": [[1.0]]}', """{
    "predictions": [[1.5]
    ]
}"""),
    "scalar of a label": ("affine/labels/stable:predict", '{"inputs": 4}', """{
    "outputs": 3.0
}"""),
    "empty batch": ("affine:predict", '{"inputs": {"x": []}}', """{
    "outputs": []
}"""),
    "columnar": ("affine:predict", '{"inputs": [[1, 2], [3, 4]]}', """{
    "outputs": [
        [
            3.5,
            4.0
        ],
        [
            4.5,
            5.0
        ]
    ]
}"""),
    "row of several": (
        "pair:predict",
        '{"instances": [{"number": [1, 2], "text": "a"}, {"text": "b", "number": [3, 4]}]}',
        """{
    "predictions": [
        {
            "number": [1, 2],
            "text": "a"
        },
        {
            "number": [3, 4],
            "text": "b"
        }
    ]
}""",
    ),
    "columnar of several": ("pair:predict", '{"inputs": {"number": 1, "text": ["x", "y"], "z": 0}}', """{
    "outputs": {
        "number": 1,
        "text": [
            "x",
            "y"
        ]
    }
}"""),
    "bytes in a row": ("shapes:predict", '{"signature_name": "bytes", "instances": [1]}', """{
    "predictions": [{
            "b64": "/wA="
        }, {
            "b64": ""
        }
    ]
}"""),
    "bytes in a column": ("shapes:predict", '{"signature_name": "bytes", "inputs": 1}', """{
    "outputs": [
        {
            "b64": "/wA="
        },
        {
            "b64": ""
        }
    ]
}"""),
    "bytes among several": ("shapes:predict", '{"signature_name": "deep_bytes", "instances": [1]}', """{
    "predictions": [
        {
            "img_bytes": [{
                    "b64": "YQ=="
                }],
            "n": 1
        },
        {
            "img_bytes": [{
                    "b64": "Yg=="
                }],
            "n": 2
        }
    ]
}"""),
    "no rows": ("shapes:predict", '{"signature_name": "empty", "instances": [1]}', """{
    "predictions": []
}"""),
    "empty rows": ("shapes:predict", '{"signature_name": "holes", "instances": [1]}', """{
    "predictions": [[], []
    ]
}"""),
    "classes": (
        "affine:classify",
        '{"signature_name": "classify", "examples": [{"x": 2.0}, {"x": [4.0]}]}',
        """{
    "results": [[["label", 4.0]], [["label", 5.0]]
    ]
}""",
    ),
    "classes with a context": (
        "affine:classify",
        '{"signature_name": "scores_only", "context": {"x": 2.0}, "examples": [{}, {"x": 6.0}]}',
        """{
    "results": [[["", 4.0]], [["", 6.0]]
    ]
}""",
    ),
    "values": (
        "affine/versions/1:regress",
        '{"signature_name": "regress", "examples": [{"x": 2.0}, {"x": 0.2}]}',
        """{
    "results": [2.0, 1.1]
}""",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("path", "body", "answer"), ANSWERS.values(), ids=ANSWERS)
def test_answers(asked: Served, path: str, body: str, answer: str) -> None:
    found = asked.ask(f"/v1/models/{path}", body)
    assert (found.status, found.body.decode()) == (200, answer)
    assert found.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("dtype", "values", "answer"),
    [
        ("bool", "true, false", "true, false"),
        ("float32", "1, 0.1, -2.5e-7, 1e300, NaN, -Infinity", "1.0, 0.1, -2.5e-07, Infinity, NaN, -Infinity"),
        ("float32", "16777217, 0.30000001192092896", "16777216.0, 0.3"),
        ("float64", "1, 0.1, 1e21, 123456789.123456789", "1.0, 0.1, 1e+21, 123456789.12345681"),
        ("int8", "300, -1, 127", "44, -1, 127"),
        ("uint8", "300, -1, 127", "44, 255, 127"),
        ("int16", "70000, -1", "4464, -1"),
        ("int32", "2147483647, -2147483648", "2147483647, -2147483648"),
        ("int64", "9223372036854775807, -9223372036854775808", "9223372036854775807, -9223372036854775808"),
        ("uint32", "4294967295, 0", "4294967295, 0"),
        ("uint64", "18446744073709551615, 0", "18446744073709551615, 0"),
        (
            "string",
            r'"a", "é\ud83d\ude00\u0000\"/", {"b64": "/w"}',
            '"a", "é\U0001f600\\u0000\\"/", "\udcff"',
        ),
    ],
)
def test_every_type_comes_back(asked: Served, dtype: str, values: str, answer: str) -> None:
    found = asked.predict(f"echo_{dtype}", f'{{"instances": [{values}]}}')
    assert found.body.decode("utf-8", "surrogateescape") == f'{{\n    "predictions": [{answer}\n    ]\n}}'


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "uint16", "complex64"])
def test_types_without_json_are_unimplemented(asked: Served, dtype: str) -> None:
    name = {"float16": "half"}.get(dtype, dtype)
    answer = asked.predict(f"echo_{dtype}", '{"inputs": [1]}')
    assert (answer.status, answer.body) == (501, error(f"Conversion of JSON Value: 1 to type: {name}"))
    answer = asked.predict(f"echo_{dtype}", '{"instances": [1]}')
    assert answer.status == 400
    assert b"Error: UNIMPLEMENTED: Conversion of JSON Value: 1 to type: " in answer.body


IN_ROW = "Failed to process element: {} of 'instances' list. Error: INVALID_ARGUMENT: "

ERRORS = [
    ("affine:predict", "", 400, "JSON Parse error: The document is empty"),
    ("affine:predict", "x", 400, "JSON Parse error: Invalid value. at offset: 0"),
    ("nobody:predict", "x", 400, "JSON Parse error: Invalid value. at offset: 0"),
    ("nobody:predict", "{}", 404, "Servable not found for request: Latest(nobody)"),
    ("affine/versions/9:predict", "{}", 404, "Servable not found for request: Specific(affine, 9)"),
    ("affine/labels/no:predict", "{}", 400, "Unrecognized servable version label: no"),
    ("affine:x", "{}", 400, "Malformed request: POST /v1/models/affine:x"),
    ("affine:predict", "[1]", 400, "JSON Value: [1] Is not object"),
    ("affine:predict", "{}", 400, "Missing 'inputs' or 'instances' key"),
    (
        "affine:predict",
        '{"signature_name": "x", "instances": [1]}',
        400,
        'Serving signature name: "x" not found in signature def',
    ),
    (
        "affine:predict",
        '{"instances": []}',
        400,
        "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array",
    ),
    (
        "affine:predict",
        '{"instances": [1, "2"]}',
        400,
        IN_ROW.format(1) + 'JSON Value: "2" Type: String is not of expected type: float',
    ),
    (
        "affine:predict",
        '{"instances": [true]}',
        400,
        IN_ROW.format(0) + "JSON Value: true Type: True is not of expected type: float",
    ),
    (
        "affine:predict",
        '{"instances": [{"z": 1}]}',
        400,
        IN_ROW.format("0 key: z") + "JSON object: does not have named input: z",
    ),
    (
        "affine:predict",
        '{"instances": [[1], [1, 2]]}',
        400,
        IN_ROW.format(1) + "Expecting tensor size: 1 but got: 2",
    ),
    (
        "affine:predict",
        '{"instances": [[[1, 2]], [[1], [2]]]}',
        400,
        IN_ROW.format(1) + "Expecting shape [1,2] but got: [2,1]",
    ),
    (
        "affine:predict",
        '{"instances": [1, {"x": 1}]}',
        400,
        "Expecting value/list but got object at item 1 of input list",
    ),
    (
        "affine:predict",
        '{"instances": [{"x": 1}, 1]}',
        400,
        "Expecting object but got list at item 1 of input list",
    ),
    ("pair:predict", '{"inputs": {"number": 1}}', 400, "Missing named input: text in 'inputs' object."),
    (
        "pair:predict",
        '{"inputs": [1]}',
        400,
        "inputs is a plain value/list, but expecting an object as multiple "
        "input tensors required as per tensorinfo_map",
    ),
    (
        "pair:predict",
        '{"instances": [{"number": 1}]}',
        400,
        "Failed to process element: 0 of 'instances' list. JSON object: {\n    \"number\": 1\n} "
        "keys must be equal to: number,text",
    ),
    (
        "affine:predict",
        '{"inputs": [[1], 2]}',
        400,
        "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
    ),
    (
        "affine:predict",
        '{"inputs": [1, [2]]}',
        400,
        "Encountered list at unexpected level: 1 expected < 1",
    ),
    ("echo_string:predict", '{"inputs": {"b64": "@"}}', 400, "Unable to base64 decode"),
    (
        "echo_int32:predict",
        '{"inputs": [18446744073709551616]}',
        400,
        "JSON Value: 18446744073709553000.0 Type: Number is not of expected type: int32",
    ),
    (
        "shapes:predict",
        '{"signature_name": "scalar", "instances": [1]}',
        400,
        "Tensor name: y has no shape information ",
    ),
    (
        "shapes:predict",
        '{"signature_name": "unequal", "instances": [1]}',
        400,
        "Tensor name: b has inconsistent batch size: 1 expecting: 2",
    ),
    (
        "affine:regress",
        '{"examples": [{"x": null}]}',
        400,
        "Feature: x has element with unexpected JSON type: Null",
    ),
    ("affine:regress", '{"examples": [1]}', 400, "Example must be JSON object but got JSON Number"),
    (
        "affine:classify",
        '{"signature_name": "x", "examples": [{}]}',
        400,
        "No signature was found with the name: x",
    ),
]


@pytest.mark.parametrize(("path", "body", "status", "message"), ERRORS)
def test_errors(asked: Served, path: str, body: str, status: int, message: str) -> None:
    answer = asked.ask(f"/v1/models/{path}", body)
    assert (answer.status, answer.body) == (status, error(message))
    assert answer.headers["Content-Type"] == "application/json"


def test_what_a_kernel_refuses_is_told_in_its_words(asked: Served) -> None:
    answer = asked.predict("matrix", '{"instances": [1.0]}')
    assert answer.status == 400
    assert json.loads(answer.body)["error"].startswith("In[0] ndims must be >= 2: 1")


def test_doubts_about_numbers_are_settled_as_rapidjson_does(asked: Served) -> None:
    for body in ('{"instances": [1e400]}', '{"junk": 1e400, "instances": [1]}'):
        assert b"Number too big to be stored in double. at offset: " in asked.predict("affine", body).body
    answer = asked.predict("affine", '{"instances": [2], "instances": [4]}')
    assert json.loads(answer.body) == {"predictions": [4.0]}


def test_large_requests_are_answered_as_small_ones(asked: Served) -> None:
    rows = [[float(row), 0.25, row / 3] for row in range(3000)]
    answer = asked.predict("affine", json.dumps({"instances": rows}))
    assert len(answer.body) > 10_000
    assert answer.body == asked.predict("affine", json.dumps({"instances": rows, "signature_name": ""})).body
    predictions = json.loads(answer.body)["predictions"]
    assert [predictions[row] for row in (0, 2999)] == [
        json.loads(asked.predict("affine", json.dumps({"instances": [rows[row]]})).body)["predictions"][0]
        for row in (0, 2999)
    ]


@pytest.mark.parametrize(
    "last", ["[1]", "[1, [2]]", "[1, true]", "1", "[1, 1e999]", "[1, 2]]", '[1, "a"]', "[1, 2"]
)
def test_large_requests_fail_as_small_ones(asked: Served, last: str) -> None:
    small = f'{{"instances": [[1, 2], [3, 4], {last}]}}'
    assert asked.predict("affine", small + 10_000 * " ").body == asked.predict("affine", small).body
    large = json.loads(asked.predict("affine", small.replace("[3, 4],", "[3, 4], " * 2000)).body)
    assert "error" in large


def test_deep_nesting_is_no_danger(asked: Served) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert asked.predict("affine", f'{{"junk": {deep}, "instances": [1]}}').status == 200
    answer = asked.predict("affine", f'{{"instances": {deep}}}')
    assert (answer.status, answer.body) == (400, error("tensor parsing error: x"))
    answer = asked.predict("affine", f'{{"inputs": {{"x": {deep[:300] + deep[-300:]}}}}}')
    assert (answer.status, answer.body) == (400, error("tensor parsing error: x"))


STATUS = """{
 "model_version_status": [
  {
   "version": "3",
   "state": "AVAILABLE",
   "status": {
    "error_code": "OK",
    "error_message": ""
   }
  }
 ]
}
"""


def test_status_is_laid_out_as_protobuf_does(asked: Served) -> None:
    assert asked.ask("/v1/models/affine/versions/3").body.decode() == STATUS


def test_status_lists_every_version_the_highest_first(asked: Served) -> None:
    statuses = json.loads(asked.ask("/v1/models/affine").body)["model_version_status"]
    assert [(status["version"], status["state"]) for status in statuses] == [
        ("3", "AVAILABLE"),
        ("2", "AVAILABLE"),
        ("1", "AVAILABLE"),
    ]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1/models", 400, "Missing model name in request."),
        ("/v1/models/nobody", 404, "Could not find any versions of model nobody"),
        ("/v1/models/affine/versions/9", 404, "Could not find version 9 of model affine"),
        ("/v1/models/nobody/metadata", 404, "Servable not found for request: Latest(nobody)"),
        ("/v1/models/affine/labels/no/metadata", 400, "Unrecognized servable version label: no"),
        ("/v1/models/affine:predict", 400, "Malformed request: GET /v1/models/affine:predict"),
        ("/v1/x", 400, "Malformed request: GET /v1/x"),
    ],
)
def test_what_cannot_be_looked_at(asked: Served, path: str, status: int, message: str) -> None:
    answer = asked.ask(path)
    assert (answer.status, answer.body) == (status, error(message))


def test_metadata_shows_every_signature(asked: Served) -> None:
    answer = asked.ask("/v1/models/affine/labels/stable/metadata")
    assert answer.body.startswith(b'{\n"model_spec":{\n "name": "affine",\n "version": "1",\n')
    assert answer.body.endswith(b"}\n}\n}\n")
    metadata = json.loads(answer.body)
    assert metadata["model_spec"] == {"name": "affine", "signature_name": "", "version": "1"}
    signatures: dict[str, Any] = metadata["metadata"]["signature_def"]["signature_def"]
    assert list(signatures) == ["classify", "regress", "scores_only", "serving_default"]
    shape = {"dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}], "unknown_rank": False}
    assert signatures["serving_default"] == {
        "inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensor_shape": shape}},
        "outputs": {"y": {"name": "y:0", "dtype": "DT_FLOAT", "tensor_shape": shape}},
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }


def test_a_version_beyond_int64_is_answered_with_nothing(asked: Served) -> None:
    answer = asked.ask(f"/v1/models/affine/versions/{2**63}")
    assert (answer.status, answer.body) == (400, b"")


@pytest.mark.parametrize("path", ["/", "/v1", "/healthz", "/v2/models/affine"])
def test_what_is_outside_the_api_is_not_found(asked: Served, path: str) -> None:
    answer = asked.ask(path)
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.headers["Connection"] == "close"
    assert answer.body == (
        b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n</BODY></HTML>\n"
    )


def test_compressed_requests_are_inflated(asked: Served) -> None:
    body = gzip.compress(b'{"instances": [1]}')
    assert asked.ask("/v1/models/affine:predict", body, Content_Encoding="gzip").status == 200
    for damaged in (body[:-9], b"no gzip", b""):
        answer = asked.ask("/v1/models/affine:predict", damaged, Content_Encoding="gzip")
        assert (answer.status, answer.body) == (400, error("JSON Parse error: The document is empty"))


def test_a_compressed_bomb_is_refused(asked: Served) -> None:
    body = gzip.compress(b'{"instances": [1]}' + b" " * (101 << 20), compresslevel=1)
    answer = asked.ask("/v1/models/affine:predict", body, Content_Encoding="gzip")
    assert (answer.status, answer.body) == (400, error("JSON Parse error: The document is empty"))


def test_any_origin_may_ask_where_that_is_enabled(asked: Served) -> None:
    path = "/v1/models/affine:predict"
    allowed = asked.ask(path, method="OPTIONS", Origin="https://example.com")
    assert (allowed.status, allowed.body) == (200, b"")
    assert asked.ask(path, method="OPTIONS").status == 400
    for answer in (allowed, asked.predict("affine", '{"instances": [1]}'), asked.predict("affine", "x")):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Allow-Methods"] == "POST, GET"
        assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"
