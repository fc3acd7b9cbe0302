"""What in a SavedModel reaches beyond it when it is loaded or asked: told by its graph, without TensorFlow.

TensorFlow runs whatever operation a graph names (https://www.tensorflow.org/security), and some of them read
and write files. Three of a SavedModel's own have to: they restore variables, save them, and fill tables
from its assets. So of these it is looked where the name of the file comes from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from packager.savedmodel.audit import operations
from packager.savedmodel.filenames import FileNames
from packager.savedmodel.graph import assets_of
from packager.savedmodel.reach import Reach
from packager.values import Finding, Severity

PYTHON, FILES, OUTSIDE = "SM-PYTHON-OP", "SM-FILE-OP", "SM-OUTSIDE-FILE"
LINK, UNKNOWN = "SM-LINK", "SM-UNKNOWN-OP"
SUMMARIES = {
    PYTHON: "of a SavedModel: an operation that calls Python code",
    FILES: "an operation that reads or writes files, or talks to other machines",
    OUTSIDE: "a checkpoint or vocabulary that is none of the SavedModel's own",
    LINK: "a link, or a file of no regular kind, in the folder",
    UNKNOWN: "an operation that TensorFlow has not (exit code 13)",
}
"""The rules of the gate for SavedModels: what each finds is an error."""

_PYTHON = re.compile(r"PyFunc(Stateless)?|EagerPyFunc")
_DATASET = (
    r"(CSV|LMDB|MatchingFiles|Sql|TextLine|TFRecord|FixedLengthRecord|Cache|Load|Save|Snapshot|DataService)"
)
_FILES = re.compile(
    rf"(Read|Write)File|MatchingFiles|(Experimental)?{_DATASET}Dataset(V\d)?|DatasetToTFRecord|DistributedSave"
    r"|(LMDB|TextLine|TFRecord|FixedLengthRecord|WholeFile)Reader(V2)?|RecordInput|.*Snapshot(Chunk|Nested|Dataset).*"
    r"|LoadAndRemapMatrix|GenerateVocabRemapping|FileSystemSetConfiguration|DumpTensor|DebugIdentity(V\d)?"
    r"|Debug(NumericSummary|NanCount)(V2)?|.*SummaryWriter|CreateSummary.*|Write.*Summary|Rpc.*|DTensorRestoreV2"
)
"""Operations that read or write files or talk to other machines, event files of summaries among them."""

_RESTORING = re.compile(r"Restore(V2|Slice)?")
_SAVING = re.compile(r"Save(V2|Slices)?|MergeV2Checkpoints")
_FILLING = re.compile(r"InitializeTableFromTextFile(V2)?")


def unsafe_operations(graph: Any) -> tuple[Finding, ...]:
    """Return what of a MetaGraphDef may not be loaded, as errors; of each kind of operation one."""
    found: dict[tuple[str, str], Finding] = {}
    reach = Reach(graph)
    run = [*(node for nodes in reach.serving.values() for node in nodes), *reach.initialising]
    misplaced = {node.op for node in run if _RESTORING.fullmatch(node.op) or _SAVING.fullmatch(node.op)}
    misplaced |= {node.op for node in reach.restoring if _SAVING.fullmatch(node.op)}
    names = FileNames(graph)
    for owner, node in _nodes(graph):
        for rule, why in _faults(node, owner, names, misplaced):
            found.setdefault((rule, node.op), _error(rule, owner, node, why))
    for asset in assets_of(graph):
        if asset.filename.startswith("/") or ".." in asset.filename.split("/"):
            message = f"the asset {asset.filename!r} lies outside of the SavedModel"
            found[OUTSIDE, asset.filename] = _finding(OUTSIDE, f"assets/{asset.filename}", message)
    return tuple(found.values())


def _nodes(graph: Any) -> Iterator[tuple[str, Any]]:
    """Yield every node, those of functions that nothing calls as well, with its function's name."""
    yield from (("", node) for node in graph.graph_def.node)
    for function in graph.graph_def.library.function:
        yield from ((function.signature.name, node) for node in function.node_def)


def _faults(node: Any, owner: str, names: FileNames, misplaced: set[str]) -> Iterator[tuple[str, str]]:
    op, own = node.op, operations()
    if _PYTHON.fullmatch(op):
        yield PYTHON, "it calls Python code of the process that exported it"
    elif _FILES.fullmatch(op) or op in misplaced or _names_a_file(node):
        yield FILES, "it reads or writes files, or talks to other machines"
    elif (_RESTORING.fullmatch(op) or _FILLING.fullmatch(op)) and node.input:
        argument = node.input[1 if _FILLING.fullmatch(op) else 0]
        if names.fixed(owner, argument):
            yield OUTSIDE, "the file that it reads is named in the graph, and is none of the SavedModel's own"
    elif op not in own and op not in names.functions and not op.startswith("_"):
        yield UNKNOWN, "TensorFlow has no such operation, so the model cannot be asked here"


def _names_a_file(node: Any) -> bool:
    """Tell of operations that write or read a file where an attribute says so."""
    attributes = node.attr
    if node.op == "PrintV2" and "output_stream" in attributes:
        stream: bytes = attributes["output_stream"].s
        return stream.startswith(b"file:")
    if node.op in ("DecodeProtoV2", "EncodeProto") and "descriptor_source" in attributes:
        source: bytes = attributes["descriptor_source"].s
        return not source.startswith((b"local://", b"bytes://"))
    return False


def _error(rule: str, owner: str, node: Any, why: str) -> Finding:
    place = f"{owner}/{node.name}" if owner else node.name
    return _finding(rule, place, f"operation {node.op!r}: {why}")


def _finding(rule: str, path: str, message: str) -> Finding:
    return Finding(rule=rule, severity=Severity.ERROR, path=path, message=message)
