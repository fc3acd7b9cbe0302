"""The audit of graphs, on graphs of a few nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from packager.auditing import check_servables, server_on
from packager.errors import AuditError, ModelFileError
from packager.progress import Event, Level
from packager.protocol import message
from packager.savedmodel.audit import Server, audit_graph, operations
from packager.savedmodel.reach import Reach
from packager.values import Finding, ServableVersion, Severity

SERVING = Server(name="tensorflow/serving:2.20.0", tensorflow="2.20.0", serving=True)
EMBEDDED = Server(name="the embedded server", tensorflow="2.20.0", serving=False)
ANYBODYS = Server(name="anybody/server:1", tensorflow=None, serving=False, known=False)


class Graph:
    """A MetaGraphDef that is put together node by node; the signature answers with node ``answer``."""

    def __init__(self, exporter: str = "2.20.0") -> None:
        self.document = message("SavedModel")()
        self.graph = self.document.meta_graphs.add()
        self.graph.meta_info_def.tags.append("serve")
        self.graph.meta_info_def.tensorflow_version = exporter
        signature = self.graph.signature_def["serving_default"]
        signature.outputs["y"].name = "answer:0"

    def node(
        self, name: str, op: str, *inputs: str, calls: str = "", device: str = "", shared: str = ""
    ) -> Graph:
        _fill(self.graph.graph_def.node.add(), name, op, inputs, calls, device, shared)
        return self

    def function(self, function: str, name: str, op: str, *, calls: str = "", shared: str = "") -> Graph:
        made = self.graph.graph_def.library.function.add()
        made.signature.name = function
        _fill(made.node_def.add(), name, op, (), calls, "", shared)
        return self

    def initialised_by(self, name: str) -> Graph:
        self.graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = name
        return self

    def restored_by(self, name: str) -> Graph:
        self.graph.saver_def.restore_op_name = name
        return self


def _fill(
    node: Any, name: str, op: str, inputs: tuple[str, ...], calls: str, device: str, shared: str
) -> None:
    node.name, node.op, node.device = name, op, device
    node.input.extend(inputs)
    if calls:
        node.attr["f"].func.name = calls
    if shared:
        node.attr["shared_name"].s = shared.encode()


def found(graph: Graph, server: Server = SERVING) -> list[tuple[str, Severity, str]]:
    return [(f.rule, f.severity, f.layer) for f in audit_graph(Reach(graph.graph), server)]


def only(graph: Graph, server: Server = SERVING) -> Finding:
    (finding,) = audit_graph(Reach(graph.graph), server)
    return finding


def test_a_plain_graph_has_no_findings() -> None:
    assert found(Graph().node("x", "Placeholder").node("answer", "MatMul", "x:0", "^x")) == []


@pytest.mark.parametrize(
    ("op", "rule"),
    [
        ("EagerPyFunc", "python-op"),
        ("PyFuncStateless", "python-op"),
        ("CudnnRNNV3", "gpu-op"),
        ("TPUExecute", "tpu-op"),
        ("SegmentSumV2", "no-kernel"),
        ("XatXul", "unknown-op"),
        ("Addons>Tanhshrink", "unknown-op"),
    ],
)
def test_what_a_server_cannot_run_is_an_error_that_names_the_layer(op: str, rule: str) -> None:
    graph = Graph().node("answer", "Identity", "model/odd_layer/it").node("model/odd_layer/it", op)
    assert found(graph) == [(rule, Severity.ERROR, "model/odd_layer")]
    assert repr(op) in only(graph).message


def test_operations_in_called_functions_count_and_others_do_not() -> None:
    graph = (
        Graph()
        .node("answer", "StatefulPartitionedCall", calls="outer")
        .function("outer", "lstm_2/while", "While", calls="body")
        .function("body", "step", "XatXul")
        .function("fallback_for_gpus", "lstm_2/CudnnRNNV3", "CudnnRNNV3")
        .node("nowhere/used", "PyFunc")
    )
    assert found(graph) == [("unknown-op", Severity.ERROR, "lstm_2"), ("loop", Severity.NOTE, "lstm_2")]


def test_functions_that_call_each_other_end() -> None:
    graph = (
        Graph()
        .node("answer", "PartitionedCall", calls="one")
        .function("one", "a", "PartitionedCall", calls="other")
        .function("other", "b", "PartitionedCall", calls="one")
    )
    assert found(graph) == []


@pytest.mark.parametrize("op", ["TFText>WhitespaceTokenizeWithOffsetsV2", "SimpleMLInferenceOpWithHandle"])
def test_tensorflow_serving_has_more_than_tensorflow(op: str) -> None:
    graph = Graph().node("answer", op)
    assert found(graph) == []
    assert "--base official" in only(graph, EMBEDDED).message


def test_of_another_image_nothing_is_certain() -> None:
    graph = Graph().node("answer", "CustomOfTheirs", "p").node("p", "PyFunc")
    assert [severity for _, severity, _ in found(graph, ANYBODYS)] == [Severity.WARNING] * 2


@pytest.mark.parametrize(
    ("exporter", "severities"),
    [
        ("2.20.1", []),
        ("2.19.0", []),
        ("2.21.0-rc1", [Severity.WARNING]),
        ("1.15.0", [Severity.ERROR]),
        ("", []),
    ],
)
def test_versions_are_compared(exporter: str, severities: list[Severity]) -> None:
    findings = audit_graph(Reach(Graph(exporter).node("answer", "Const").graph), SERVING)
    assert [f.severity for f in findings] == severities
    assert {f.rule for f in findings} <= {"server-version"}


def test_a_table_needs_an_initialiser() -> None:
    graph = Graph().node("answer", "LookupTableFindV2", "look/table").node("look/table", "HashTableV2")
    assert found(graph) == [("empty-table", Severity.ERROR, "look")]
    graph.node("fill", "LookupTableImportV2", "look/table").node("init", "NoOp", "^fill").initialised_by(
        "init"
    )
    assert found(graph) == []


def test_a_table_may_be_filled_under_its_shared_name() -> None:
    graph = Graph().node("answer", "LookupTableFindV2", "t").node("t", "HashTableV2", shared="words")
    assert [rule for rule, *_ in found(graph)] == ["empty-table"]
    graph.node("init", "PartitionedCall", calls="fill").function("fill", "u", "HashTableV2", shared="words")
    assert found(graph.initialised_by("init")) == []


def test_a_variable_needs_a_value() -> None:
    graph = Graph().node("answer", "ReadVariableOp", "w").node("w", "VarHandleOp", shared="kernel")
    assert found(graph) == [("empty-variable", Severity.ERROR, "")]
    assert "'kernel'" in only(graph).message
    assert found(graph.node("restore", "AssignVariableOp", "w").restored_by("restore")) == []


@pytest.mark.parametrize(
    ("op", "rule", "severity"),
    [
        ("RandomUniform", "random-op", Severity.WARNING),
        ("StatefulStandardNormalV2", "random-op", Severity.WARNING),
        ("AssignAddVariableOp", "writes-state", Severity.WARNING),
        ("ReadFile", "file-op", Severity.WARNING),
        ("NextIteration", "old-control-flow", Severity.NOTE),
        ("StatelessWhile", "loop", Severity.NOTE),
        ("Assert", "assertion", Severity.NOTE),
    ],
)
def test_hazards_are_told_where_a_request_meets_them(op: str, rule: str, severity: Severity) -> None:
    graph = Graph().node("answer", "Identity", "layer/it").node("layer/it", op)
    assert found(graph) == [(rule, severity, "layer")]
    elsewhere = Graph().node("answer", "Const").node("restore", op).restored_by("restore")
    assert found(elsewhere) == []


def test_stateless_random_numbers_are_the_same_each_time() -> None:
    assert found(Graph().node("answer", "StatelessRandomUniformV2")) == []


def test_a_device_of_the_exporters_is_told() -> None:
    assert found(Graph().node("answer", "Const", device="/device:GPU:0")) == [
        ("device", Severity.WARNING, "")
    ]


def test_the_table_of_operations_is_whole() -> None:
    assert len(operations()) > 1500
    assert operations()["MatMul"]
    assert not operations()["CudnnRNNV3"]


@pytest.mark.parametrize(
    ("base", "name", "known"),
    [
        ("official", "tensorflow/serving:2.19.1", True),
        ("auto", "tensorflow/serving:2.19.1", True),
        ("tensorflow/serving:2.18.0", "tensorflow/serving:2.18.0", True),
        ("tensorflow/serving:2.18.0-gpu", "tensorflow/serving:2.18.0-gpu", False),
        ("registry.example.com/own/server:1", "registry.example.com/own/server:1", False),
    ],
)
def test_the_base_tells_the_server(base: str, name: str, known: bool) -> None:
    server = server_on(base, "2.19.0")
    assert (server.name, server.known) == (name, known)


@pytest.fixture
def servable(tmp_path: Path) -> ServableVersion:
    (tmp_path / "m" / "1").mkdir(parents=True)
    return ServableVersion(name="m", version=1, path=tmp_path / "m" / "1")


def test_a_build_is_refused_where_the_server_cannot_run_the_model(servable: ServableVersion) -> None:
    graph = Graph().node("answer", "Identity", "lambda_1/py").node("lambda_1/py", "EagerPyFunc")
    (servable.path / "saved_model.pb").write_bytes(graph.document.SerializeToString())
    with pytest.raises(AuditError, match="layer 'lambda_1': operation 'EagerPyFunc'") as raised:
        check_servables([servable], "official")
    assert raised.value.exit_code == 25
    told: list[Event] = []
    check_servables([servable], "anybody/server:1", told.append)
    assert [event.level for event in told] == [Level.WARNING]


def test_a_build_is_refused_where_the_graph_cannot_be_read(servable: ServableVersion) -> None:
    (servable.path / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(ModelFileError):
        check_servables([servable], "official")
    told: list[Event] = []
    check_servables([servable], "anybody/server:1", told.append)
    assert "not audited" in told[0].text
