"""What in an architecture would run, import or read something when Keras rebuilds it.

Each rule looks at one object of the config, at any depth: inside nested models, wrappers and arguments.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from packager.h5 import rules
from packager.h5.bytecode import describe_bytecode, is_of_this_python, read_bytecode
from packager.h5.config import Json, Node, as_list, as_object, as_text
from packager.h5.lambdas import is_function_name
from packager.h5.references import Origin, Reference, reference_in, unknown_activations
from packager.h5.rules import quote
from packager.h5.tensorflow_names import is_tensor_function, is_tensor_method, is_tensor_operation
from packager.values import Finding, Severity

_FILE_KEYS = ("vocabulary_file", "ckpt_to_load_from")
"""Arguments of feature columns."""


def code_findings(
    nodes: Iterable[Node], *, keras3: bool, supplied: Collection[str] = (), run_bytecode: bool = False
) -> Iterator[Finding]:
    """Yield what would run, import or read something, by rules that look at every object of a config.

    ``supplied`` are names of classes and functions that whoever loads the model brings along, and with
    ``run_bytecode`` they allow what this Python can run of the file: that is a warning only.
    """
    for node in nodes:
        yield from (_allowed(f) if run_bytecode else f.finding for f in _bytecode_findings(node))
        if node.class_name:
            for rule in _RULES:
                yield from rule(node)
            yield from _import_findings(node, keras3=keras3, supplied=supplied)


def custom_objects(nodes: Iterable[Node], *, keras3: bool) -> dict[str, str]:
    """Return the classes and functions that Keras does not have, with the path of their first use."""
    found: dict[str, str] = {}
    for node in nodes:
        if reference := reference_in(node, keras3=keras3):
            for name in _names_to_supply(node, reference):
                if not is_function_name(name):
                    found.setdefault(name, node.path)
    return found


def _names_to_supply(node: Node, reference: Reference) -> list[str]:
    if reference.origin is not Origin.KERAS:
        return [reference.name] if reference.name else []
    names = unknown_activations(node.config)
    if node.class_name == "Lambda" and (function := _named_function(node)):
        names.append(function)
    return names


class _Code(NamedTuple):
    """Bytecode that was found."""

    finding: Finding
    runnable: bool


def _allowed(code: _Code) -> Finding:
    if not code.runnable:
        told = f"{code.finding.message}, nor can this Python {platform.python_version()} run it"
        return replace(code.finding, message=told)
    told = code.finding.message.replace("it was not executed", "it is allowed to run")
    return replace(code.finding, severity=Severity.WARNING, message=told)


def _bytecode_findings(node: Node) -> Iterator[_Code]:
    """Find functions that were saved as bytecode: by Keras 1 and 2, and ``__lambda__`` by Keras 3."""
    if node.class_name == "__lambda__":
        yield _bytecode(node, "", node.config.get("code", node.config.get("value")))
    for key, value in node.value.items():
        if value == "lambda" and key.endswith("_type"):  # function, output_shape, mask; mode of Keras 1
            stored = key.removesuffix("_type")
            yield _bytecode(node, f"/{stored}", node.value.get(stored))
    if node.class_name.endswith("Lambda") and not node.class_name.endswith("OpLambda"):
        function, kind = node.config.get("function"), node.config.get("function_type")
        if function is not None and kind != "lambda" and not _is_named(function, kind):
            yield _bytecode(node, "/config/function", function)


def _is_named(function: Json, kind: Json) -> bool:
    """Tell whether a Lambda's function is one that has to be supplied, by name or as a serialized object."""
    return isinstance(function, dict) or (isinstance(function, str) and kind in (None, "function"))


def _named_function(node: Node) -> str:
    function = as_text(node.config.get("function"))
    return function if _is_named(function, node.config.get("function_type")) else ""


def _bytecode(node: Node, below: str, stored: Json) -> _Code:
    text = stored if isinstance(stored, str) else next(iter(as_list(stored)), "")
    bytecode = read_bytecode(text) if isinstance(text, str) else None
    told = f"layer {quote(node.layer)} holds {describe_bytecode(bytecode)}; it was not executed"
    finding = rules.LAMBDA.at(node.path + below, told, layer=node.layer)
    return _Code(finding, bytecode is not None and is_of_this_python(bytecode))


def _tensorflow_findings(node: Node) -> Iterator[Finding]:
    """Find TensorFlow functions that tf_keras would look up and call."""
    config = node.config
    allowed: Callable[[str], bool]
    match node.class_name:
        case "TFOpLambda" | "SlicingOpLambda":
            called, allowed = as_text(config.get("function")), is_tensor_function
        case "TensorFlowOpLayer":
            called, allowed = as_text(as_object(config.get("node_def")).get("op")), is_tensor_operation
        case "InstanceMethod" | "InstanceProperty":
            called, allowed = as_text(config.get("attr_name")), is_tensor_method
        case "ClassMethod":
            called = f"{as_text(config.get('cls_symbol'))}.{as_text(config.get('method_name'))}"
            allowed = _makes_ragged
        case _:
            return
    if not allowed(called):
        yield rules.TF_FUNCTION.at(
            node.path, f"layer {quote(node.layer)} calls {quote(called)}, which is no plain tensor operation"
        )


def _makes_ragged(method: str) -> bool:
    return method.startswith("RaggedTensor.from_")


def _file_findings(node: Node) -> Iterator[Finding]:
    """Find layers that read a file when they are built."""
    config, class_name = node.config, node.class_name
    files = [config.get(key) for key in _FILE_KEYS]
    if class_name.endswith(("Lookup", "TextVectorization")):
        files.append(config.get("vocabulary"))
    if class_name == "TFSMLayer":
        files.append(config.get("filepath") or "?")
    for file in filter(None, map(as_text, files)):
        yield rules.FILE_ACCESS.at(node.path, f"layer {quote(node.layer)} reads the file {quote(file)}")


def _pickle_findings(node: Node) -> Iterator[Finding]:
    if node.class_name == "TorchModuleWrapper":
        yield rules.PICKLE.at(node.path, f"layer {quote(node.layer)} holds a pickled PyTorch module")


def _import_findings(node: Node, *, keras3: bool, supplied: Collection[str]) -> Iterator[Finding]:
    reference = reference_in(node, keras3=keras3, supplied=supplied)
    if reference and reference.origin is Origin.IMPORT:
        source = f"{reference.module}.{reference.name}"
        yield rules.IMPORT.at(
            node.path, f"{reference.kind} {quote(source)} would be imported from outside Keras"
        )


_RULES: tuple[Callable[[Node], Iterator[Finding]], ...] = (
    _tensorflow_findings,
    _file_findings,
    _pickle_findings,
)
