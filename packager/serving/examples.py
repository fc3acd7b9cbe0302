"""What a servable can be asked about examples: to classify them, to find a value for each, or both.

The checks and their words follow ``classifier.cc``, ``regressor.cc`` and ``multi_inference.cc``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packager.serving.inference import DEFAULT_SIGNATURE, InferenceOptions, run
from packager.serving.native.dtypes import DType
from packager.serving.native.servable import Servable
from packager.serving.native.signatures import Signature
from packager.serving.native.tensors import Tensor
from packager.serving.status import Code, StatusError, failed_precondition, invalid_argument

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"


@dataclass(frozen=True, slots=True)
class Classified:
    """One class of one example. A model may give labels, scores or both."""

    label: bytes
    score: float


Classes = list[list[Classified]]
"""For each example, its classes."""
Values = list[float]
"""For each example, its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One of several questions about the same examples."""

    model: str
    key: str
    """Of the signature."""
    method: str
    """What answers it: ``CLASSIFY`` or ``REGRESS``."""


@dataclass(frozen=True, slots=True)
class _Computation:
    """What of the graph answers a signature: a tensor to feed, and tensors to fetch, by their aliases."""

    source: str
    fetches: Mapping[str, str]


def classify(servable: Servable, key: str, examples: Sequence[bytes], options: InferenceOptions) -> Classes:
    """Run a classification signature on serialised Examples."""
    computation = _classification(_signature(servable, key), options)
    tensors = _run(servable, [computation], examples, options, api="Classify")
    return _classifications(computation, tensors, len(examples))


def regress(servable: Servable, key: str, examples: Sequence[bytes], options: InferenceOptions) -> Values:
    """Run a regression signature on serialised Examples."""
    computation = _regression(_signature(servable, key), options)
    tensors = _run(servable, [computation], examples, options, api="Regress")
    return _regressions(computation, tensors, len(examples))


def infer_all(
    servable: Servable,
    tasks: Sequence[Task],
    examples: Sequence[bytes],
    options: InferenceOptions,
) -> list[Classes | Values]:
    """Run several signatures of one model at once."""
    computations: list[_Computation] = []
    for index, task in enumerate(tasks):
        _check_model(task, tasks[0])
        if task.key in [other.key for other in tasks[:index]]:
            raise invalid_argument(f"Duplicate evaluation of signature: {task.key}")
        if task.key not in servable.signatures:
            raise invalid_argument(f"Requested signature not found in model graph: {task.key}")
        computations.append(_of_method(servable.signatures[task.key], task.method, options))
        if computations[0].source != computations[-1].source:
            raise invalid_argument("Input tensor must be the same for all Signatures.")
    tensors = _run(servable, computations, examples, options, api="MultiInference")
    return [
        (_classifications if task.method == CLASSIFY else _regressions)(computation, tensors, len(examples))
        for task, computation in zip(tasks, computations, strict=True)
    ]


def _check_model(task: Task, first: Task) -> None:
    if not task.model:
        raise invalid_argument("Found ModelSpec with an empty model name.")
    if task.model != first.model:
        raise invalid_argument("All ModelSpecs in a MultiInferenceRequest must access the same model name.")


def _of_method(signature: Signature, method: str, options: InferenceOptions) -> _Computation:
    match method:
        case "tensorflow/serving/classify":
            return _classification(signature, options)
        case "tensorflow/serving/regress":
            return _regression(signature, options)
        case _:
            raise StatusError(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {method}")


def _classification(signature: Signature, options: InferenceOptions) -> _Computation:
    if options.check_method_names and signature.method_name != CLASSIFY:
        raise _wrong_method("classification", CLASSIFY, signature)
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
    return _Computation(source, wanted)


def _regression(signature: Signature, options: InferenceOptions) -> _Computation:
    if options.check_method_names and signature.method_name != REGRESS:
        raise _wrong_method("regression", REGRESS, signature)
    source = _only_input(signature, "regression")
    if len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    if "outputs" not in signature.outputs:
        raise failed_precondition(f"No regression outputs found in SignatureDef: {signature.definition}")
    return _Computation(source, {"outputs": signature.outputs["outputs"].name})


def _run(
    servable: Servable,
    computations: Sequence[_Computation],
    examples: Sequence[bytes],
    options: InferenceOptions,
    *,
    api: str,
) -> dict[str, Tensor]:
    """Return all tensors that the computations fetch, by their names in the graph."""
    if not examples:
        raise invalid_argument("Input is empty.")
    if not computations:
        raise invalid_argument("Must specify at least one target to fetch or execute.")
    feeds = [(computations[0].source, Tensor.from_strings((len(examples),), examples))]
    fetches = sorted({name for computation in computations for name in computation.fetches.values()})
    tensors = run(servable, feeds, fetches, options, api=api)
    if options.metrics:
        options.metrics.note_examples(servable.name, len(examples))
    return dict(zip(fetches, tensors, strict=True))


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


def _wrong_method(kind: str, expected: str, signature: Signature) -> StatusError:
    return invalid_argument(
        f"Expected {kind} signature method_name to be {expected}. Was: {signature.method_name}"
    )


def _classifications(computation: _Computation, fetched: Mapping[str, Tensor], count: int) -> Classes:
    tensors = {alias: fetched[name] for alias, name in computation.fetches.items()}
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


def _regressions(computation: _Computation, fetched: Mapping[str, Tensor], count: int) -> Values:
    values = fetched[computation.fetches["outputs"]]
    _check_regression(values, count)
    return values.to_list()


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
