"""Reads a predict request check by check, in the order and with the words of TensorFlow Serving.

(``FillPredictRequestFromJson`` in ``json_tensor.cc``.)
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from packager.serving.native.signatures import Signature
from packager.serving.native.tensors import Tensor
from packager.serving.rest.debug_text import debug_text
from packager.serving.rest.requests import (
    FindSignature,
    PredictRequest,
    check_object,
    format_error,
    is_named,
    signature_name,
)
from packager.serving.rest.strict import Elements, make_tensor
from packager.serving.status import StatusError, invalid_argument


def read_strictly(document: Any, find_signature: FindSignature) -> PredictRequest:
    """Read a request, or raise StatusError."""
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


def _strict_inputs(inputs: Any, signature: Signature) -> dict[str, Tensor]:
    if not is_named(inputs):
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
        named = is_named(instances[0])
        for index, instance in enumerate(instances):
            if named != is_named(instance):
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
