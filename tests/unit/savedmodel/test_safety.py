"""What of a SavedModel is refused before TensorFlow sees it, on graphs of a few nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from packager.errors import ModelFileError, ModelLoadError, UnsafeFileError
from packager.protocol import message
from packager.savedmodel.safety import unsafe_operations
from packager.savedmodel.source import admit_saved_model
from packager.values import NOTHING_SUPPLIED


class Graph:
    """A MetaGraphDef that is put together node by node; the signature answers with node ``answer``."""

    def __init__(self) -> None:
        self.document = message("SavedModel")()
        self.graph = self.document.meta_graphs.add()
        self.graph.meta_info_def.tags.append("serve")
        signature = self.graph.signature_def["serving_default"]
        signature.outputs["y"].name = "answer:0"
        self.graph.saver_def.restore_op_name = "restore"

    def node(self, name: str, op: str, *inputs: str, calls: str = "", **texts: bytes) -> Graph:
        _fill(self.graph.graph_def.node.add(), name, op, inputs, calls, texts)
        return self

    def function(self, function: str, arguments: str, name: str, op: str, *inputs: str) -> Graph:
        library = self.graph.graph_def.library.function
        made = next((f for f in library if f.signature.name == function), None) or library.add()
        made.signature.name = function
        if not made.signature.input_arg:
            for argument in arguments.split():
                made.signature.input_arg.add(name=argument)
        _fill(made.node_def.add(), name, op, inputs, "", {})
        return self

    def asset(self, tensor: str, filename: str) -> Graph:
        asset = self.graph.asset_file_def.add(filename=filename)
        asset.tensor_info.name = tensor
        return self

    @property
    def rules(self) -> list[str]:
        return [finding.rule for finding in unsafe_operations(self.graph)]


def _fill(
    node: Any, name: str, op: str, inputs: tuple[str, ...], calls: str, texts: dict[str, bytes]
) -> None:
    node.name, node.op = name, op
    node.input.extend(inputs)
    if calls:
        node.attr["f"].func.name = calls
    for key, text in texts.items():
        node.attr[key].s = text


@pytest.mark.parametrize(
    ("op", "rule"),
    [
        *((op, "SM-PYTHON-OP") for op in ("PyFunc", "PyFuncStateless", "EagerPyFunc")),
        *((op, "SM-FILE-OP") for op in ("ReadFile", "WriteFile", "MatchingFiles", "WholeFileReaderV2")),
        *(
            (op, "SM-FILE-OP")
            for op in ("TextLineDataset", "TFRecordDatasetV2", "SaveDatasetV2", "SqlDataset")
        ),
        *(
            (op, "SM-FILE-OP")
            for op in ("CreateSummaryFileWriter", "WriteScalarSummary", "SnapshotDatasetV2")
        ),
        *(
            (op, "SM-FILE-OP")
            for op in ("RpcClient", "DataServiceDatasetV4", "LoadAndRemapMatrix", "DumpTensor")
        ),
        ("Addons>Tanhshrink", "SM-UNKNOWN-OP"),
    ],
)
def test_an_operation_is_refused_wherever_it_is(op: str, rule: str) -> None:
    assert Graph().node("answer", op).rules == [rule]
    assert Graph().node("nowhere/used", op).rules == [rule]
    assert Graph().function("uncalled", "", "it", op).rules == [rule]


@pytest.mark.parametrize(
    "op", ["ReadVariableOp", "Identity", "MatMul", "ResourceGather", "Print", "DecodeRaw"]
)
def test_what_only_computes_is_not(op: str) -> None:
    assert Graph().node("answer", op).rules == []


def test_an_operation_that_is_told_a_file_by_an_attribute() -> None:
    assert Graph().node("answer", "PrintV2", output_stream=b"stderr").rules == []
    assert Graph().node("answer", "PrintV2", output_stream=b"file:///tmp/x").rules == ["SM-FILE-OP"]
    assert Graph().node("answer", "DecodeProtoV2", descriptor_source=b"local://").rules == []
    assert Graph().node("answer", "DecodeProtoV2", descriptor_source=b"/etc/passwd").rules == ["SM-FILE-OP"]


def test_a_checkpoint_is_restored_when_it_is_loaded_and_at_no_other_time() -> None:
    def restoring(name: str) -> Graph:
        graph = Graph().node("filename", "Placeholder")
        return graph.node(name, "RestoreV2", "filename:0", "names:0", "parts:0")

    assert restoring("restore").rules == []
    assert restoring("answer").rules == ["SM-FILE-OP"]
    assert Graph().node("filename", "Placeholder").node("save", "SaveV2", "filename").rules == []
    assert Graph().node("filename", "Placeholder").node("restore", "SaveV2", "filename").rules == [
        "SM-FILE-OP"
    ]


def test_a_loader_gives_the_name_of_the_checkpoint_in_place_of_a_constant() -> None:
    """As TensorFlow 1 had it before 1.5, in TensorFlow Serving's own half_plus_two."""
    graph = Graph().node("save/Const", "Const").node("restore", "RestoreV2", "save/Const:0", "names:0")
    assert graph.rules == ["SM-OUTSIDE-FILE"]
    graph.graph.saver_def.filename_tensor_name = "save/Const:0"
    assert graph.rules == []


def test_the_checkpoint_of_another_model_is_refused() -> None:
    named = Graph().node("filename", "Const").node("same", "Identity", "filename")
    assert named.node("restore", "RestoreV2", "same:0").rules == ["SM-OUTSIDE-FILE"]
    by_function = (
        Graph()
        .node("filename", "Const")
        .node("restore", "StatefulPartitionedCall", "filename", calls="restoring")
        .function("restoring", "prefix", "read", "RestoreV2", "prefix", "names:0")
    )
    assert by_function.rules == ["SM-OUTSIDE-FILE"]


def test_a_table_is_filled_from_an_asset_and_from_no_other_file() -> None:
    def filling() -> Graph:
        return (
            Graph().node("words", "Const").node("answer", "InitializeTableFromTextFileV2", "table", "words:0")
        )

    assert filling().rules == ["SM-OUTSIDE-FILE"]
    assert filling().asset("words:0", "words.txt").rules == []
    assert filling().asset("words:0", "../../etc/passwd").rules == ["SM-OUTSIDE-FILE"]
    assert filling().asset("words:0", "/etc/passwd").rules == ["SM-OUTSIDE-FILE"]


def test_tensorflow_1_lists_assets_in_a_collection() -> None:
    graph = Graph().node("words", "Const").node("answer", "InitializeTableFromTextFileV2", "table", "words:0")
    asset = message("AssetFileDef")(filename="words.txt")
    asset.tensor_info.name = "words:0"
    packed = graph.graph.collection_def["saved_model_assets"].any_list.value
    packed.add(value=asset.SerializeToString())
    assert graph.rules == []
    packed.add(value=b"no asset")
    with pytest.raises(ModelFileError, match="lists assets that cannot be read"):
        unsafe_operations(graph.graph)


@pytest.mark.parametrize("op", ["Placeholder", "Const"])
def test_a_file_name_is_followed_through_variables_and_functions(op: str) -> None:
    graph = (
        Graph()
        .node("words", op)
        .node("asset", "VarHandleOp")
        .node("assign", "AssignVariableOp", "asset", "words")
        .node("read", "ReadVariableOp", "asset")
        .node("answer", "StatefulPartitionedCall", "table", "read:0", calls="filling")
        .function("filling", "table file", "fill", "InitializeTableFromTextFileV2", "table", "file")
    )
    assert graph.rules == ([] if op == "Placeholder" else ["SM-OUTSIDE-FILE"])


def test_a_captured_text_is_no_asset() -> None:
    graph = Graph().node("secret", "Const").node("answer", "Identity")
    graph.function("filling", "table file", "fill", "InitializeTableFromTextFileV2", "table", "file")
    objects = graph.graph.object_graph_def
    objects.nodes.add()
    objects.nodes.add().constant.operation = "secret"
    objects.concrete_functions["filling"].bound_inputs.extend([0, 0])
    assert graph.rules == []
    objects.concrete_functions["filling"].bound_inputs[:] = [0, 1]
    assert graph.rules == ["SM-OUTSIDE-FILE"]


def test_functions_that_call_each_other_end() -> None:
    graph = Graph().node("answer", "PartitionedCall", "x", calls="one").node("x", "Placeholder")
    graph.function("one", "a", "b", "two", "a").function("two", "a", "b", "one", "a")
    graph.function("two", "a", "r", "RestoreV2", "a")
    assert graph.rules == ["SM-FILE-OP"]  # in what answers


def write(graph: Graph, folder: Path) -> Path:
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(graph.document.SerializeToString())
    return folder


def test_unsafe_is_told_before_unknown(tmp_path: Path) -> None:
    unknown = Graph().node("answer", "Addons>X", "other")
    with pytest.raises(ModelLoadError, match="TensorFlow has no such operation"):
        admit_saved_model(write(unknown, tmp_path / "unknown"), NOTHING_SUPPLIED)
    with pytest.raises(UnsafeFileError, match=r"'ReadFile': .* \(and 1 more\)") as caught:
        admit_saved_model(write(unknown.node("other", "ReadFile"), tmp_path / "unsafe"), NOTHING_SUPPLIED)
    assert caught.value.details is not None
    assert "SM-UNKNOWN-OP answer" in caught.value.details


def test_what_cannot_be_asked_is_no_source(tmp_path: Path) -> None:
    silent = Graph().node("answer", "Identity")
    del silent.graph.signature_def["serving_default"]
    with pytest.raises(ModelFileError, match="has no signature"):
        admit_saved_model(write(silent, tmp_path / "silent"), NOTHING_SUPPLIED)
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "saved_model.pb").write_bytes(b"no protobuf")
    with pytest.raises(ModelFileError, match="no SavedModel that can be read"):
        admit_saved_model(tmp_path / "text", NOTHING_SUPPLIED)
