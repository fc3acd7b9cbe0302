"""Requests in protobuf's text form, as people read them and gRPC tools take them.

https://protobuf.dev/reference/protobuf/textformat-spec
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from packager.contract.examples import features_of
from packager.contract.samples import Array, Sample
from packager.protocol.dtypes import FIELDS

_TYPES = {
    **{"float32": "DT_FLOAT", "float64": "DT_DOUBLE", "float16": "DT_HALF", "bool": "DT_BOOL"},
    **{f"{sign}int{bits}": f"DT_{sign.upper()}INT{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
"""Names of tensorflow/core/framework/types.proto by numpy's names."""


def predict_text(sample: Sample, model: str) -> str | None:
    """Return the PredictRequest that sends the inputs of ``sample``; ``None`` where a type is in no table."""
    if any(a.dtype.kind not in "SUO" and a.dtype.name not in _TYPES for a in sample.inputs.values()):
        return None
    lines = _model_spec(model, sample.signature)
    for name, array in sample.inputs.items():
        lines += block("inputs", [f"key: {quoted(name.encode())}", *block("value", _tensor(array))])
    return _joined(lines)


def examples_text(sample: Sample, model: str) -> str:
    """Return the ClassificationRequest or RegressionRequest, which are alike, that sends ``sample``."""
    (array,) = sample.inputs.values()
    listed = [line for value in array.tolist() for line in block("examples", _example(value))]
    return _joined([*_model_spec(model, sample.signature), *block("input", block("example_list", listed))])


def block(name: str, lines: Iterable[str]) -> list[str]:
    """Return a message of that name, its lines indented."""
    return [f"{name} {{", *(f"  {line}" for line in lines), "}"]


def quoted(value: bytes) -> str:
    """Return a string literal; what is not printable ASCII is escaped in octal."""
    return '"' + "".join(map(_character, value)) + '"'


def scalar(value: Any) -> str:
    """Return a literal: the shortest decimal that is that number."""
    if isinstance(value, (bytes, str)):
        return quoted(value.encode() if isinstance(value, str) else value)
    return str(value).lower()  # True, False, nan and inf are spelt in lower case


def _character(code: int) -> str:
    if code in b'"\\':
        return f"\\{chr(code)}"
    return chr(code) if 32 <= code < 127 else f"\\{code:03o}"


def _model_spec(model: str, signature: str) -> list[str]:
    fields = [f"name: {quoted(model.encode())}", f"signature_name: {quoted(signature.encode())}"]
    return block("model_spec", fields)


def _tensor(array: Array) -> list[str]:
    text = array.dtype.kind in "SUO"
    field = "string_val" if text else FIELDS.get(array.dtype.name, "int_val")
    flat = array.view(np.uint16) if array.dtype == np.float16 else array  # as bit patterns
    sizes = [line for size in array.shape for line in block("dim", [f"size: {size}"])]
    return [
        f"dtype: {'DT_STRING' if text else _TYPES[array.dtype.name]}",
        *block("tensor_shape", sizes),
        *(f"{field}: {scalar(value)}" for value in flat.ravel()),
    ]


def _example(serialised: bytes) -> list[str]:
    lines: list[str] = []
    for name, (kind, values) in features_of(serialised).items():
        content = block(kind, [f"value: {scalar(value)}" for value in values])
        lines += block("feature", [f"key: {quoted(name.encode())}", *block("value", content)])
    return block("features", lines)


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"
