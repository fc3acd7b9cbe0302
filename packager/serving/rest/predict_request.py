"""Reads a predict request: its signature, its inputs as tensors, and the form it wants its answer in.

A regular request is read fast; any other is read again from the start, strictly, which either finds
TensorFlow Serving's words for what is wrong or reads it as TensorFlow Serving does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from typing import Any

from packager.serving.native.dtypes import DType
from packager.serving.native.signatures import Signature
from packager.serving.native.tensors import Tensor
from packager.serving.rest import dense
from packager.serving.rest.debug_text import debug_text
from packager.serving.rest.dense import IrregularError, is_base64_object
from packager.serving.rest.documents import NotAlikeError, parse_exactly, parse_fast
from packager.serving.rest.strict import Elements, make_tensor
from packager.serving.status import StatusError, invalid_argument

FindSignature = Callable[[str], Signature]
"""Finds a signature by the key in the request, empty where there is none; or raises StatusError."""


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """A predict request, ready to run."""

    signature: Signature
    inputs: Mapping[str, Tensor]
    in_rows: bool
    """Whether the inputs came as ``instances``, so that the outputs go back as ``predictions``."""


def read_predict_request(body: bytes, find_signature: FindSignature) -> PredictRequest:
    """Read a request, or raise StatusError."""
    try:
        document = parse_fast(body)
    except NotAlikeError:
        return _read_strict(parse_exactly(body), find_signature)
    if isinstance(document, dict) and isinstance(document.get("signature_name", ""), str):
        signature = find_signature(document.get("signature_name", ""))
        with suppress(IrregularError, NotAlikeError, StatusError):
            if any(info.dtype is DType.DOUBLE for info in signature.inputs.values()):
                document = parse_fast(body, exact_doubles=True)
            return _read_dense(document, signature)
    return _read_strict(parse_exactly(body), find_signature)


def _read_dense(document: Mapping[str, Any], signature: Signature) -> PredictRequest:
    dtypes = {name: info.dtype for name, info in signature.inputs.items()}
    forms = document.keys() & {"instances", "inputs"}
    if not dtypes or len(forms) != 1:
        raise IrregularError
    if "instances" in forms:
        columns = _columns(document["instances"], dtypes)
    else:
        columns = _named_inputs(document["inputs"], dtypes)
    inputs = {name: dense.tensor(columns[name], dtype) for name, dtype in dtypes.items()}
    return PredictRequest(signature, inputs, in_rows="instances" in forms)


def _columns(instances: Any, dtypes: Mapping[str, DType]) -> Mapping[str, list[Any]]:
    """Turn a list of instances into a list for each input."""
    if not isinstance(instances, list) or not instances:
        raise IrregularError
    if _is_named(instances[0]):
        if not all(_is_named(instance) and instance.keys() == dtypes.keys() for instance in instances):
            raise IrregularError
        return {name: [instance[name] for instance in instances] for name in dtypes}
    if len(dtypes) > 1:
        raise IrregularError
    return dict.fromkeys(dtypes, instances)


def _named_inputs(inputs: Any, dtypes: Mapping[str, DType]) -> Mapping[str, Any]:
    if not _is_named(inputs):
        if len(dtypes) > 1:
            raise IrregularError
        return dict.fromkeys(dtypes, inputs)
    if dtypes.keys() - inputs.keys():
        raise IrregularError
    return inputs  # type: ignore[no-any-return]


def _is_named(value: Any) -> bool:
    """Tell whether a value is an object of inputs by name, and not bytes."""
    return isinstance(value, dict) and not is_base64_object(value)


def _read_strict(document: Any, find_signature: FindSignature) -> PredictRequest:
    check_object(document)
    signature = find_signature(signature_name(document))
    if not signature.inputs:
        raise invalid_argument(
            f"Failed to get input map for signature: {signature_name(document) or 'DEFAULT'}"
        )
    if "instances" not in document and "inputs" not in document:
        raise invalid_argument("Missing 'inputs' or 'instances' key")
    if "instances" not in document:
        return PredictRequest(signature, _strict_inputs(document["inputs"], signature), in_rows=False)
    instances = document["instances"]
    if "inputs" in document:
        raise format_error(
            document, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        )
    if not isinstance(instances, list):
        raise format_error(document, "Expecting 'instances' to be an list/array")
    if not instances:
        raise format_error(document, "No values in 'instances' array")
    return PredictRequest(signature, _Instances(signature).read(instances), in_rows=True)


def check_object(document: Any) -> None:
    """Raise StatusError if a request is not a JSON object."""
    if not isinstance(document, dict):
        raise format_error(document, "Is not object")


def signature_name(document: Mapping[str, Any]) -> str:
    """Return the key of the signature that a request names, empty where it names none."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise format_error(document, "not formatted correctly. 'signature_name' key must be a string value.")
    return name


def format_error(value: Any, problem: str) -> StatusError:
    """Return the error of a request whose form is wrong; it quotes the request."""
    return invalid_argument(f"JSON Value: {debug_text(value)} {problem}")


def _strict_inputs(inputs: Any, signature: Signature) -> dict[str, Tensor]:
    if not _is_named(inputs):
        if len(signature.inputs) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        inputs = dict.fromkeys(signature.inputs, inputs)
    tensors = {}
    for name, info in signature.inputs.items():
        if name not in inputs:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
        elements = Elements.of(inputs[name], info.dtype)
        tensors[name] = make_tensor(name, info.dtype, elements.shape, elements.values)
    return tensors


class _Instances:
    """Collects the inputs from one instance after the other."""

    def __init__(self, signature: Signature) -> None:
        self._infos = signature.inputs
        self._batches: dict[str, Elements] = {}
        """The elements of all instances, with the shape that each of them must have."""

    def read(self, instances: list[Any]) -> dict[str, Tensor]:
        """Read all instances, or raise StatusError."""
        if not isinstance(instances[0], dict) and len(self._infos) > 1:
            raise invalid_argument(
                "instances is a plain list, but expecting list of objects as multiple "
                "input tensors required as per tensorinfo_map"
            )
        named = _is_named(instances[0])
        for index, instance in enumerate(instances):
            if named != _is_named(instance):
                expected, got = ("object", "list") if named else ("value/list", "object")
                raise invalid_argument(f"Expecting {expected} but got {got} at item {index} of input list")
            if named:
                self._add_named(index, instance)
            else:
                self._add(next(iter(self._infos)), instance, f"{index}")
        return {
            name: make_tensor(name, batch.dtype, [len(instances), *batch.shape], batch.values)
            for name, batch in self._batches.items()
        }

    def _add_named(self, index: int, instance: Mapping[str, Any]) -> None:
        for name, value in instance.items():
            self._add(name, value, f"{index} key: {name}")
        if instance.keys() != self._infos.keys():
            raise invalid_argument(
                f"Failed to process element: {index} of 'instances' list. "
                f"JSON object: {debug_text(instance)} keys must be equal to: {','.join(self._infos)}"
            )

    def _add(self, name: str, value: Any, place: str) -> None:
        try:
            if name not in self._infos:
                raise invalid_argument(f"JSON object: does not have named input: {name}")
            elements = Elements.of(value, self._infos[name].dtype)
            batch = self._batches.setdefault(name, Elements(elements.dtype, elements.shape))
            _check_alike(batch, elements)
            batch.values += elements.values
        except StatusError as error:
            raise invalid_argument(
                f"Failed to process element: {place} of 'instances' list. Error: {error}"
            ) from error


def _check_alike(batch: Elements, elements: Elements) -> None:
    """Raise StatusError unless an instance has the shape of the first."""
    size = prod(batch.shape)
    if size != len(elements.values):
        raise invalid_argument(f"Expecting tensor size: {size} but got: {len(elements.values)}")
    if batch.shape != elements.shape:
        raise invalid_argument(
            f"Expecting shape {_shape_text(batch.shape)} but got: {_shape_text(elements.shape)}"
        )


def _shape_text(shape: list[int]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"
