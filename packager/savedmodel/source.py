"""A SavedModel that somebody else exported, as what a conversion begins with: told without TensorFlow."""

from __future__ import annotations

import os
import shlex
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from packager.errors import (
    ExportError,
    ModelFileError,
    ModelLoadError,
    SignatureError,
    UnsafeFileError,
    UsageError,
)
from packager.savedmodel.graph import FILE, assets_of, dtype_name, read_graph, shape_of, signatures_of
from packager.savedmodel.safety import LINK, UNKNOWN, unsafe_operations
from packager.values import (
    NOTHING_SUPPLIED,
    FileKind,
    Finding,
    Inspection,
    LayerSummary,
    Severity,
    Signature,
    Supplied,
    WeightDataset,
)

_LARGEST_GRAPH = 2**31
"""Bytes: protobuf has no longer messages."""
_VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
_DEFAULT_KEY = "serving_default"


def is_saved_model(path: Path) -> bool:
    """Tell whether ``path`` is a folder with the graph of a SavedModel in it."""
    return (path / FILE).is_file()


def admit_saved_model(folder: Path, supplied: Supplied) -> Inspection:
    """Inspect the SavedModel in ``folder`` and let it through to be loaded.

    Raises UnsafeFileError where it reaches beyond itself, ModelLoadError where TensorFlow cannot run it,
    UsageError where ``supplied`` has what only files of Keras lack.
    """
    if supplied != NOTHING_SUPPLIED:
        raise UsageError(
            f"{os.fspath(folder)!r} is a SavedModel: it lacks no architecture, mapping, code or vocabulary",
            hint="leave away what is for files of Keras, and for signatures take --signature or --input-name",
        )
    inspection = inspect_saved_model(folder)
    if errors := inspection.errors:
        refused = [error for error in errors if error.rule != UNKNOWN] or errors
        kind = ModelLoadError if refused[0].rule == UNKNOWN else UnsafeFileError
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise kind(
            f"refused {os.fspath(folder)!r}: {refused[0].message}{more}",
            hint=_hint(folder, refused[0].rule),
            details="\n".join(f"{e.rule} {e.path}: {e.message}" for e in errors),
        )
    return inspection


def _hint(folder: Path, rule: str) -> str:
    if rule == LINK:
        return f"make files of links: cp -rL {shlex.quote(os.fspath(folder))} COPY"
    if rule == UNKNOWN:
        return "packager build models/NAME takes it as it is, for a server that has the operation"
    return "export the model without that operation, or ask whoever made it for another"


def inspect_saved_model(folder: Path) -> Inspection:
    """Tell what the SavedModel in ``folder`` is, and what is unsafe in it. Raises ModelFileError."""
    files = dict(_files(folder))
    graph = read_source_graph(folder)
    signatures = signatures_of(graph)
    if not signatures:
        raise ModelFileError(
            f"{os.fspath(folder)!r} has no signature, so nobody can ask it",
            hint="tf.saved_model.save(model, DIR, signatures=…) exports one",
        )
    default = default_signature(signatures)
    layers = tuple(_variables(graph))
    if layers and not (folder / "variables" / "variables.index").is_file():
        raise ModelFileError(
            f"{os.fspath(folder)!r} has variables, and no variables/variables.index to restore them from",
            hint="copy the whole folder, variables/ with it",
        )
    return Inspection(
        path=folder,
        size=sum(files.values()),
        kind=FileKind.SAVED_MODEL,
        keras_version=None,
        backend=None,
        model_class=None,
        layers=layers,
        inputs=default.inputs,
        outputs=tuple(spec.name for spec in default.outputs),
        custom_classes=(),
        findings=(*links_in(folder), *unsafe_operations(graph)),
    )


def require_tensors(folder: Path) -> None:
    """Raise SignatureError where the default signature cannot be signed anew: it has to take tensors."""
    graph = read_source_graph(folder)
    signature = default_signature(signatures_of(graph))
    hint = "leave --signature, --input-name and --output-name away: it is taken as it is"
    if signature.method.endswith(("/classify", "/regress")):
        raise SignatureError(
            f"signature {signature.key!r} of {os.fspath(folder)!r} is for {signature.method!r}: it takes "
            "serialized examples, and has no tensors to be named or prepared",
            hint=hint,
        )
    if not graph.object_graph_def.nodes and (assets := assets_of(graph)):
        raise SignatureError(
            f"{os.fspath(folder)!r} reads {assets[0].filename!r} in TensorFlow 1's way, by the path that "
            "it has here: new signatures would lose it",
            hint=hint,
        )
    for name, info in sorted(graph.signature_def[signature.key].inputs.items()):
        if info.tensor_shape.unknown_rank:
            raise SignatureError(
                f"input {name!r} of signature {signature.key!r} takes any number of dimensions, and a "
                "signature of packager's a fixed one",
                hint=hint,
            )


def require_self_contained(folder: Path) -> None:
    """Raise ExportError where what was signed anew reads files that are none of its own."""
    if found := unsafe_operations(read_source_graph(folder)):
        raise ExportError(
            f"signed anew, the SavedModel would not stand alone: {found[0].message}",
            hint="leave --signature, --input-name and --output-name away: it is taken as it is",
            details="\n".join(f"{each.rule} {each.path}: {each.message}" for each in found),
        )


def read_source_graph(folder: Path) -> Any:
    """Return the graph for serving of the SavedModel in ``folder``. Raises ModelFileError."""
    file = folder / FILE
    try:
        if file.stat().st_size >= _LARGEST_GRAPH:
            raise ModelFileError(
                f"{os.fspath(file)!r} has 2 GiB or more, which no graph has", hint="copy it again"
            )
        return read_graph(file.read_bytes(), os.fspath(folder))
    except OSError as error:
        raise ModelFileError(
            f"cannot read {os.fspath(file)!r}: {(error.strerror or str(error)).lower()}",
            hint=f"ls -l {shlex.quote(os.fspath(folder))}",
        ) from error


def default_signature(signatures: Iterable[Signature]) -> Signature:
    """Return the signature that a request reaches which names none, else the first."""
    listed = list(signatures)
    return next((signature for signature in listed if signature.key == _DEFAULT_KEY), listed[0])


def source_files(folder: Path) -> list[str]:
    """Return the paths of all files in ``folder``, sorted, relative to it."""
    return sorted(path for path, _ in _files(folder))


def links_in(folder: Path) -> Iterator[Finding]:
    """Yield what is neither a file nor a folder: a copy of it would not be what it stands for."""
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            name = path.relative_to(folder).as_posix()
            what = f"a link to {os.fspath(path.readlink())!r}" if stat.S_ISLNK(mode) else "no regular file"
            yield Finding(rule=LINK, severity=Severity.ERROR, path=name, message=f"{name!r} is {what}")


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    for path in folder.rglob("*"):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            yield path.relative_to(folder).as_posix(), status.st_size


def _variables(graph: Any) -> Iterator[LayerSummary]:
    """Yield the variables of the graph, by the scopes of their names."""
    scopes: dict[str, list[WeightDataset]] = defaultdict(list)
    for node in graph.graph_def.node:
        if node.op in _VARIABLES and "dtype" in node.attr:
            name = node.attr["shared_name"].s.decode("utf-8", "replace") or node.name
            weight = WeightDataset(
                path=name,
                shape=tuple(size or 0 for size in shape_of(node.attr["shape"].shape)),
                dtype=dtype_name(node.attr["dtype"].type),
            )
            scopes[name.rpartition("/")[0]].append(weight)
    for scope, weights in scopes.items():
        yield LayerSummary(name=scope, class_name="", weights=tuple(weights))
