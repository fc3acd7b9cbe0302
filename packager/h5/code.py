"""What in an architecture would run, import or read something when Keras rebuilds it.

Each rule looks at one object of the config, at any depth: inside nested models, wrappers and arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from packager.h5 import rules
from packager.h5.bytecode import describe_bytecode
from packager.h5.config import Json, Node, as_list, as_object, as_text, config_of, walk
from packager.h5.references import Origin, reference_in, unknown_activations
from packager.h5.rules import quote
from packager.h5.tensorflow_names import is_tensor_function, is_tensor_method, is_tensor_operation
from packager.values import Finding

_FILE_KEYS = ("vocabulary_file", "ckpt_to_load_from")
"""Arguments of feature columns."""


def config_findings(
    config: dict[str, Json], *, name: str = "model_config", keras3: bool, supplied: Collection[str] = ()
) -> Iterator[Finding]:
    """Yield what is wrong with ``config``, by rules that look at every object in it.

    ``supplied`` are names of classes and functions that whoever loads the model brings along.
    """
    for node in walk(config, name):
        for rule in _RULES:
            yield from rule(node)
        yield from _import_findings(node, keras3=keras3, supplied=supplied)


def custom_objects(config: dict[str, Json], *, keras3: bool) -> Iterator[tuple[str, str]]:
    """Yield the name and path of each use of a class or function that Keras does not have."""
    for node in walk(config, "model_config"):
        reference = reference_in(node.value, keras3=keras3)
        if reference and reference.origin is not Origin.KERAS and reference.name:
            yield reference.name, node.path
        if _class_of(node) == "Lambda" and (function := _named_function(node)):
            yield function, node.path
        for activation in unknown_activations(node.value):
            yield activation, node.path


def _class_of(node: Node) -> str:
    """Return the class name of a serialized object, empty where it is none."""
    return as_text(node.value.get("class_name")) if "config" in node.value else ""


def _bytecode_findings(node: Node) -> Iterator[Finding]:
    """Find functions that were saved as bytecode: by Keras 1 and 2, and ``__lambda__`` by Keras 3."""
    if _class_of(node) == "__lambda__":
        inner = config_of(node.value)
        yield _bytecode(node, "", inner.get("code", inner.get("value")))
    for key in ("function", "output_shape", "mask"):
        if node.value.get(f"{key}_type") == "lambda":
            yield _bytecode(node, f"/{key}", node.value.get(key))
    if _class_of(node).endswith("Lambda") and not _class_of(node).endswith("OpLambda"):
        config = config_of(node.value)
        function, kind = config.get("function"), config.get("function_type")
        if kind != "lambda" and not _is_named(function, kind):
            yield _bytecode(node, "/config/function", function)


def _is_named(function: Json, kind: Json) -> bool:
    """Tell whether a Lambda's function is one that has to be supplied, by name or as a serialized object."""
    return isinstance(function, dict) or (isinstance(function, str) and kind in (None, "function"))


def _named_function(node: Node) -> str:
    config = config_of(node.value)
    named = isinstance(config.get("function"), str) and _is_named(
        config["function"], config.get("function_type")
    )
    return as_text(config["function"]) if named else ""


def _bytecode(node: Node, below: str, stored: Json) -> Finding:
    text = as_text(stored) or as_text(next(iter(as_list(stored)), ""))
    return rules.LAMBDA.at(
        node.path + below, f"layer {quote(node.layer)} holds {describe_bytecode(text)}; it was not executed"
    )


def _tensorflow_findings(node: Node) -> Iterator[Finding]:
    """Find TensorFlow functions that tf_keras would look up and call."""
    config = config_of(node.value)
    allowed: Callable[[str], bool]
    match _class_of(node):
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
    config, class_name = config_of(node.value), _class_of(node)
    files = [config.get(key) for key in _FILE_KEYS]
    if class_name.endswith(("Lookup", "TextVectorization")):
        files.append(config.get("vocabulary"))
    if class_name == "TFSMLayer":
        files.append(config.get("filepath") or "?")
    for file in filter(None, map(as_text, files)):
        yield rules.FILE_ACCESS.at(node.path, f"layer {quote(node.layer)} reads the file {quote(file)}")


def _pickle_findings(node: Node) -> Iterator[Finding]:
    if _class_of(node) == "TorchModuleWrapper":
        yield rules.PICKLE.at(node.path, f"layer {quote(node.layer)} holds a pickled PyTorch module")


def _import_findings(node: Node, *, keras3: bool, supplied: Collection[str]) -> Iterator[Finding]:
    reference = reference_in(node.value, keras3=keras3, supplied=supplied)
    if reference and reference.origin is Origin.IMPORT:
        source = f"{reference.module}.{reference.name}"
        yield rules.IMPORT.at(
            node.path, f"{reference.kind} {quote(source)} would be imported from outside Keras"
        )


_RULES: tuple[Callable[[Node], Iterator[Finding]], ...] = (
    _bytecode_findings,
    _tensorflow_findings,
    _file_findings,
    _pickle_findings,
)
