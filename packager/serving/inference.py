"""What a servable can be asked: predict, classify and regress, checked as TensorFlow Serving checks them.

The checks and their words follow ``predict_util.cc``, ``classifier.cc`` and ``regressor.cc``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packager.serving.native.dtypes import DType
from packager.serving.native.servable import Servable
from packager.serving.native.signatures import Signature
from packager.serving.native.tensors import Tensor
from packager.serving.status import failed_precondition, invalid_argument

DEFAULT_SIGNATURE = "serving_default"

_CLASSIFY = "tensorflow/serving/classify"
_REGRESS = "tensorflow/serving/regress"


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceOptions:
    """What holds for every request."""

    timeout_ms: int = 30_000
    check_method_names: bool = False
    """Whether classify and regress insist on the signature's ``method_name``."""


@dataclass(frozen=True, slots=True)
class Classified:
    """One class of one example. A model may give labels, scores or both."""

    label: bytes
    score: float


def predict(
    servable: Servable, signature: Signature, inputs: Mapping[str, Tensor], options: InferenceOptions
) -> dict[str, Tensor]:
    """Run a signature on its inputs and return its outputs by name, in the order of their names."""
    if inputs.keys() != signature.inputs.keys():
        raise _wrong_inputs(signature, inputs)
    feeds = [(signature.inputs[name].name, tensor) for name, tensor in inputs.items()]
    fetches = [info.name for info in signature.outputs.values()]
    results = servable.session.run(feeds, fetches, timeout_ms=options.timeout_ms)
    return dict(zip(signature.outputs, results, strict=True))


def classify(
    servable: Servable, key: str, examples: Sequence[bytes], options: InferenceOptions
) -> list[list[Classified]]:
    """Run a classification signature on serialised Examples: for each one, its classes."""
    signature = _signature(servable, key)
    if options.check_method_names and signature.method_name != _CLASSIFY:
        raise _wrong_method("classification", _CLASSIFY, signature)
    source = _only_input(signature, "classification")
    wanted = {
        alias: signature.outputs[alias].name for alias in ("classes", "scores") if alias in signature.outputs
    }
    if not 1 <= len(signature.outputs) <= 2:
        raise invalid_argument(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if not wanted:
        raise failed_precondition(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature was: {signature.definition}"
        )
    tensors = servable.session.run(
        [(source, Tensor.from_strings((len(examples),), examples))],
        list(wanted.values()),
        timeout_ms=options.timeout_ms,
    )
    return _classifications(dict(zip(wanted, tensors, strict=True)), len(examples))


def regress(
    servable: Servable, key: str, examples: Sequence[bytes], options: InferenceOptions
) -> list[float]:
    """Run a regression signature on serialised Examples: for each one, a value."""
    signature = _signature(servable, key)
    if options.check_method_names and signature.method_name != _REGRESS:
        raise _wrong_method("regression", _REGRESS, signature)
    source = _only_input(signature, "regression")
    if len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    if "outputs" not in signature.outputs:
        raise failed_precondition(f"No regression outputs found in SignatureDef: {signature.definition}")
    [values] = servable.session.run(
        [(source, Tensor.from_strings((len(examples),), examples))],
        [signature.outputs["outputs"].name],
        timeout_ms=options.timeout_ms,
    )
    _check_regression(values, len(examples))
    return values.to_list()


def _signature(servable: Servable, key: str) -> Signature:
    key = key or DEFAULT_SIGNATURE
    if key not in servable.signatures:
        raise invalid_argument(f"No signature was found with the name: {key}")
    return servable.signatures[key]


def _only_input(signature: Signature, kind: str) -> str:
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if "inputs" not in signature.inputs:
        raise failed_precondition(f"No {kind} inputs found in SignatureDef: {signature.definition}")
    return signature.inputs["inputs"].name


def _wrong_method(kind: str, expected: str, signature: Signature) -> Exception:
    return invalid_argument(
        f"Expected {kind} signature method_name to be {expected}. Was: {signature.method_name}"
    )


def _wrong_inputs(signature: Signature, inputs: Mapping[str, Tensor]) -> Exception:
    def listed(names: set[str]) -> str:
        return "{" + ",".join(sorted(names)) + "}"

    sent, needed = set(inputs), set(signature.inputs)
    return invalid_argument(
        f"input size does not match signature: {len(sent)}!={len(needed)} "
        f"len({listed(sent)}) != len({listed(needed)}). "
        f"Sent extra: {listed(sent - needed)}. Missing but required: {listed(needed - sent)}."
    )


def _classifications(tensors: Mapping[str, Tensor], count: int) -> list[list[Classified]]:
    for alias, dtype in (("classes", DType.STRING), ("scores", DType.FLOAT)):
        if alias in tensors:
            _check_classification(alias, tensors[alias], dtype, count)
    widths = [tensor.shape[1] for tensor in tensors.values()]
    if len(set(widths)) > 1:
        raise invalid_argument(
            f"Tensors class and score should match in dim_size(1). Got {widths[0]} vs. {widths[1]}"
        )
    size = count * widths[0]
    labels = tensors["classes"].to_list() if "classes" in tensors else [b""] * size
    scores = tensors["scores"].to_list() if "scores" in tensors else [0.0] * size
    flat = list(map(Classified, labels, scores))
    return [flat[row * widths[0] : (row + 1) * widths[0]] for row in range(count)]


def _check_classification(alias: str, tensor: Tensor, dtype: DType, count: int) -> None:
    if len(tensor.shape) != 2:
        raise invalid_argument(
            f"Expected Tensor shape: [batch_size num_classes] but got {_shape_text(tensor)}"
        )
    if tensor.dtype is not dtype:
        raise invalid_argument(f"Expected {alias} Tensor of DT_{dtype.name}. Got: DT_{tensor.dtype.name}")
    if tensor.shape[0] != count:
        raise invalid_argument(f"Expected {alias} output batch size of {count}. Got: {tensor.shape[0]}")


def _check_regression(tensor: Tensor, count: int) -> None:
    if len(tensor.shape) != 1 and (len(tensor.shape) != 2 or tensor.shape[1] != 1):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or "
            f"[batch_size, 1] but got {_shape_text(tensor)}"
        )
    if tensor.shape[0] != count:
        raise invalid_argument(
            f"Input batch size did not match output batch size: {count} vs. {tensor.shape[0]}"
        )
    if tensor.dtype is not DType.FLOAT:
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: DT_{tensor.dtype.name}")


def _shape_text(tensor: Tensor) -> str:
    return "[" + ",".join(map(str, tensor.shape)) + "]"
