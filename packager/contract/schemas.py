"""JSON Schemas of tensors as TensorFlow Serving's REST interface writes them: nested arrays of values."""

from __future__ import annotations

import re
from typing import Any

from packager.values import Shape, TensorSpec

Json = dict[str, Any]


def tensor(spec: TensorSpec) -> Json:
    """Return the schema of a whole tensor."""
    return _nested(spec.shape, value_of(spec))


def row_of(spec: TensorSpec) -> Json:
    """Return the schema of one example of a tensor whose first dimension is the batch."""
    return _nested(spec.shape[1:], value_of(spec))


def value_of(spec: TensorSpec) -> Json:
    """Return the schema of one value; text may be bytes, and is wherever the tensor's name says so."""
    if spec.dtype == "string":
        encoded = {
            "type": "object",
            "properties": {"b64": {"type": "string", "contentEncoding": "base64"}},
            "required": ["b64"],
            "additionalProperties": False,
        }
        return encoded if spec.name.endswith("_bytes") else {"anyOf": [{"type": "string"}, encoded]}
    if spec.dtype == "bool":
        return {"type": "boolean"}
    if whole := re.fullmatch(r"(u?)int(\d+)", spec.dtype):
        bits, signed = int(whole[2]), not whole[1]
        lowest = -(2 ** (bits - 1)) if signed else 0
        return {"type": "integer", "minimum": lowest, "maximum": 2 ** (bits - signed) - 1}
    return {"type": "number"}


def _nested(shape: Shape, value: Json) -> Json:
    schema = value
    for size in reversed(shape):
        sizes = {} if size is None else {"minItems": size, "maxItems": size}
        schema = {"type": "array", "items": schema, **sizes}
    return schema
