"""What a contract shows is what the server takes and answers: requests, clients, the OpenAPI document."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import requests
from fixtures_command import Run, SourceModel
from google.protobuf import descriptor_pool, message_factory, text_format
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

import packager as library
from packager.interface import ServedModel
from packager.savedmodel.graph import read_graph
from packager.smoketest import running_folder
from packager.values import ConversionOptions

pytestmark = pytest.mark.tensorflow

DECLARATION = """
[signatures]
bytes = true
classify = true

[inputs.image]
steps = [{ rescale = 0.00392156862745098 }]

[outputs.digit]
labels = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
"""


class Served:
    """A model folder, what it promises, and where a server answers for it."""

    def __init__(self, folder: Path, rest: str, address: str) -> None:
        self.folder = folder
        self.rest = rest
        self.grpc = address
        self.model: ServedModel = library.describe(folder)

    def url(self, interface: str) -> str:
        return f"{self.rest}/v1/models/{self.model.model}:{interface}"


@pytest.fixture(scope="module", params=["pictures", "several"])
def served(
    request: pytest.FixtureRequest,
    h5_models: Callable[[str], SourceModel],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """An image classifier with three signatures, and a model with several tensors of odd names."""
    place = tmp_path_factory.mktemp("contract")
    declared, source = None, "keras3_many"
    if request.param == "pictures":
        source, declared = "keras3_digits", place / "signature.toml"
        declared.write_text(DECLARATION)
    made = library.convert(
        h5_models(source).path,
        name=request.param,
        output=place / "models",
        options=ConversionOptions(signature=declared),
    )
    with running_folder(made.servable.path.parent) as running:
        address = running.server.grpc_address()
        assert address is not None
        yield Served(made.servable.path.parent, running.url.split("/v1/")[0], address)


def assert_alike(answer: Any, recorded: Any) -> None:
    """Compare JSON documents; numbers may differ in their last digits."""
    if isinstance(recorded, float):
        np.testing.assert_allclose(answer, recorded, rtol=1e-5, atol=1e-6)
    elif isinstance(recorded, dict):
        assert answer.keys() == recorded.keys()
        for key, value in recorded.items():
            assert_alike(answer[key], value)
    elif isinstance(recorded, list):
        assert len(answer) == len(recorded)
        for one, other in zip(answer, recorded, strict=True):
            assert_alike(one, other)
    else:
        assert answer == recorded


def test_every_signature_has_an_example_that_the_server_answers_as_recorded(served: Served) -> None:
    calls = served.model.examples
    assert [call.signature for call in calls] == [each.key for each in served.model.signatures]
    forms = 0
    for call in calls:
        for body, recorded in ((call.row, call.row_answer), (call.columnar, call.columnar_answer)):
            if body is not None:
                answer = requests.post(served.url(call.interface), json=body, timeout=30)
                assert answer.status_code == 200, answer.text
                assert_alike(answer.json(), recorded)
                forms += 1
    assert forms == {"pictures": 5, "several": 2}[served.model.model]


def request_class(interface: str) -> Any:
    """The request message with the tensors inside as messages, which the text form spells out."""
    from packager.protocol import pool, tables

    file = FileDescriptorProto()
    file.CopyFrom(pool.described())
    file.name = "whole.proto"
    nested: dict[str, DescriptorProto] = {each.name: each for each in file.message_type}
    for message, field, kind in (
        (nested["PredictRequest"].nested_type[0], "value", "TensorProto"),
        (nested["ExampleList"], "examples", "Example"),
    ):
        (found,) = (each for each in message.field if each.name == field)
        found.type, found.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{pool.PACKAGE}.{kind}"
    (dtype,) = (each for each in nested["TensorProto"].field if each.name == "dtype")
    enum = file.enum_type.add(name="DataType")
    for name, number in (("DT_INVALID", 0), ("DT_FLOAT", 1), ("DT_STRING", 7)):
        enum.value.add(name=name, number=number)
    dtype.type, dtype.type_name = FieldDescriptorProto.TYPE_ENUM, f".{pool.PACKAGE}.DataType"
    assert tables.MESSAGES
    own = descriptor_pool.DescriptorPool()
    for module in pool._WELL_KNOWN:
        own.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    own.AddSerializedFile(file.SerializeToString())
    name = {"predict": "PredictRequest", "classify": "ClassificationRequest"}[interface]
    return message_factory.GetMessageClass(own.FindMessageTypeByName(f"{pool.PACKAGE}.{name}"))


def test_the_text_form_is_a_request_that_grpc_answers(served: Served) -> None:
    with grpc.insecure_channel(served.grpc) as channel:
        for call in served.model.examples:
            assert call.grpc is not None
            request = text_format.Parse(call.grpc, request_class(call.interface)())
            method = {"predict": "Predict", "classify": "Classify"}[call.interface]
            ask = channel.unary_unary(f"/tensorflow.serving.PredictionService/{method}")
            assert ask(request.SerializeToString(), timeout=30)


@pytest.mark.parametrize("language", ["python", "curl"])
def test_a_client_runs_and_shows_what_was_recorded(
    served: Served, packager: Run, tmp_path: Path, language: str
) -> None:
    if language == "curl" and not shutil.which("curl"):
        pytest.skip("curl is not installed")
    program = [sys.executable] if language == "python" else ["sh"]
    for call in served.model.examples:
        file = tmp_path / f"client-{call.signature}"
        done = packager(
            "client", served.folder, "--language", language, "--signature", call.signature, "-o", file
        )
        assert done.code == 0, done.err
        ran = subprocess.run([*program, file, served.rest], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert_alike(json.loads(ran.stdout), call.row_answer)


def test_a_client_tells_what_the_server_says_against_it(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "client.py"
    file.write_text(library.client(served.folder, language="python").replace("instances", "nonsense"))
    ran = subprocess.run([sys.executable, file, served.rest], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "Missing 'inputs' or 'instances' key" in ran.stderr
    nobody = subprocess.run(
        [sys.executable, file, "http://127.0.0.1:1"], capture_output=True, text=True, check=False
    )
    assert nobody.returncode == 1
    assert "Traceback" not in nobody.stderr


def test_the_openapi_document_is_valid_and_fits_what_is_asked_and_answered(
    served: Served, packager: Run
) -> None:
    done = packager("openapi", served.folder)
    assert done.code == 0, done.err
    document = done.json
    OpenAPIV31SpecValidator(document).validate()
    for call in served.model.examples:
        operation = document["paths"][f"/v1/models/{served.model.model}:{call.interface}"]["post"]
        asked = operation["requestBody"]["content"]["application/json"]["schema"]
        answered = operation["responses"]["200"]["content"]["application/json"]["schema"]
        for body in filter(None, (call.row, call.columnar)):
            fits(document, asked, body)
            fits(document, answered, requests.post(served.url(call.interface), json=body, timeout=30).json())
    for path in (f"/v1/models/{served.model.model}", f"/v1/models/{served.model.model}/metadata"):
        fits(document, of_get(document, path), requests.get(f"{served.rest}{path}", timeout=30).json())
    refused = requests.post(served.url("predict"), data=b"{}", timeout=30)
    assert refused.status_code == 400
    fits(document, {"$ref": "#/components/schemas/Error"}, refused.json())


def of_get(document: Any, path: str) -> Any:
    operation = document["paths"][path]["get"]
    return operation["responses"]["200"]["content"]["application/json"]["schema"]


def fits(document: Any, schema: Any, value: Any) -> None:
    Draft202012Validator({**schema, "components": document["components"]}).validate(value)


def test_signatures_read_from_the_graph_are_those_of_the_contract(served: Served) -> None:
    from packager.savedmodel.graph import signatures_of

    graph = read_graph((served.folder / "1" / "saved_model.pb").read_bytes(), "here")
    told = {each.key: each for each in signatures_of(graph)}
    for recorded in served.model.signatures:
        found = told[recorded.key]
        assert found.method == recorded.method
        assert set(found.inputs) == set(recorded.inputs)
        assert set(found.outputs) == set(recorded.outputs)


def test_inspect_shows_signatures_and_examples(served: Served, packager: Run) -> None:
    done = packager("inspect", served.folder / "1")
    assert done.code == 0, done.err
    for signature in served.model.signatures:
        assert f"signature   {signature.key}" in done.out
    assert "POST :predict" in done.out
    assert "gRPC Predict" not in done.out
    assert 'signature_name: "serving_default"' in packager("inspect", served.folder / "1", "-v").out
    assert packager("inspect", served.folder, "--json").json["recorded"] is True


def test_a_conversion_that_breaks_clients_publishes_nothing(
    h5_models: Callable[[str], SourceModel], packager: Run, served_digits: Any, tmp_path: Path
) -> None:
    older = served_digits.servable.path.parent
    source = h5_models("keras3_digits").path
    arguments = ("convert", source, "--name", "m", "--compatible-with", older)
    done = packager(*arguments, "--output-name", "digit=number", "--json")
    assert done.code == 19, done.err
    assert "renamed output of 'serving_default'" in done.json["error"]["message"]
    assert not (tmp_path / "models").exists()
    assert packager(*arguments).code == 0
    done = packager("diff", older, "models/m")
    assert (done.code, "the same" in done.out) == (0, True)
