"""Compares the signatures that a server publishes with those that the contract promises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from packager.contract import Contract, Sample
from packager.errors import OtherSignatureError, RequestError
from packager.smoketest.diagnosis import OTHER_MODEL
from packager.values import Signature, TensorSpec

_DTYPES = {
    "DT_HALF": "float16",
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    **{f"DT_{kind}{bits}": f"{kind}{bits}".lower() for kind in ("INT", "UINT") for bits in (8, 16, 32, 64)},
    **{f"DT_{name}": name.lower() for name in ("BFLOAT16", "BOOL", "STRING", "COMPLEX64", "COMPLEX128")},
}
"""Names of numpy by those of tensorflow/core/framework/types.proto."""

Tensors = Mapping[str, TensorSpec | None]
"""Tensors by name, ``None`` for one whose type or rank the server does not tell."""


def check_signatures(metadata: Any, contract: Contract) -> None:
    """Raise RequestError where ``metadata``, a GetModelMetadataResponse, breaks a promise of ``contract``.

    What the server has beyond it does not matter.
    """
    try:
        served = metadata["metadata"]["signature_def"]["signature_def"]
        inputs = {key: _tensors(entry["inputs"]) for key, entry in served.items()}
        outputs = {key: _tensors(entry["outputs"]) for key, entry in served.items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise RequestError(f"the model's metadata cannot be read: {error!r}") from error
    for key in _promised_keys(contract):
        if key not in served:
            raise OtherSignatureError(
                f"the server has no signature {key!r}: it has {_listed(served)}", hint=OTHER_MODEL
            )
    for sample in contract.samples:
        _check_names(sample, inputs[sample.signature], outputs[sample.signature])
    for signature in contract.signatures:
        _check_specs(signature, "input", signature.inputs, inputs[signature.key])
        _check_specs(signature, "output", signature.outputs, outputs[signature.key])


def _promised_keys(contract: Contract) -> list[str]:
    keys = [signature.key for signature in contract.signatures]
    return list(dict.fromkeys([*keys, *(sample.signature for sample in contract.samples)]))


def _check_names(sample: Sample, inputs: Tensors, outputs: Tensors) -> None:
    for side, recorded, served in (("input", sample.inputs, inputs), ("output", sample.outputs, outputs)):
        for name in recorded:
            _check_name(sample.signature, side, name, served)


def _check_specs(signature: Signature, side: str, promised: Iterable[TensorSpec], served: Tensors) -> None:
    for spec in promised:
        _check_name(signature.key, side, spec.name, served)
        found = served[spec.name]
        if found is not None and found != spec:
            raise OtherSignatureError(
                f"{side} of {signature.key!r} differs: the server has {found}, the contract says {spec}",
                hint=OTHER_MODEL,
            )


def _check_name(signature: str, side: str, name: str, served: Tensors) -> None:
    if name not in served:
        raise OtherSignatureError(
            f"signature {signature!r} has no {side} {name!r}: the server has {_listed(served)}",
            hint=OTHER_MODEL,
        )


def _tensors(entries: Mapping[str, Any]) -> Tensors:
    return {name: _tensor(name, entry) for name, entry in entries.items()}


def _tensor(name: str, entry: Mapping[str, Any]) -> TensorSpec | None:
    shape, dtype = entry["tensor_shape"], _DTYPES.get(entry["dtype"])
    if dtype is None or shape.get("unknown_rank"):
        return None
    sizes = [int(dimension["size"]) for dimension in shape.get("dim", ())]
    return TensorSpec(name=name, dtype=dtype, shape=tuple(None if size < 0 else size for size in sizes))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names) if not name.startswith("__")) or "none"
