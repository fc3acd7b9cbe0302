"""Tensors as gRPC carries them: numpy arrays to ``TensorProto`` messages and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from packager.errors import RequestError
from packager.protocol import message
from packager.protocol.dtypes import DTYPES, FIELDS, STRING

_NAMES = {number: name for name, number in DTYPES.items()}

Array = npt.NDArray[Any]


def carries(array: Array) -> bool:
    """Whether a tensor message can hold ``array``."""
    return array.dtype.kind in "SUO" or array.dtype.name in DTYPES


def to_message(array: Array) -> bytes:
    """Return ``array`` as a serialised TensorProto."""
    tensor = message("TensorProto")()
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    if array.dtype.kind in "SUO":
        tensor.dtype = STRING
        cells = array.ravel().tolist()
        tensor.string_val.extend(cell.encode() if isinstance(cell, str) else cell for cell in cells)
    else:
        tensor.dtype = DTYPES[array.dtype.name]
        tensor.tensor_content = np.ascontiguousarray(array).tobytes()
    serialised: bytes = tensor.SerializeToString()
    return serialised


def from_message(serialised: bytes) -> Array:
    """Return the array that a serialised TensorProto holds, text as bytes; raise RequestError for others."""
    tensor = message("TensorProto").FromString(serialised)
    shape = tuple(dimension.size for dimension in tensor.tensor_shape.dim)
    if tensor.dtype == STRING:
        return _filled(np.array(list(tensor.string_val), dtype=object), shape)
    name = _NAMES.get(tensor.dtype)
    if name is None:
        raise RequestError(f"the answer has a tensor of type {tensor.dtype}, which is none that models have")
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, dtype=name).reshape(shape)
    values = getattr(tensor, FIELDS.get(name, "int_val"))
    if name == "float16":  # as bit patterns
        return _filled(np.array(values, dtype=np.uint16).view(np.float16), shape)
    return _filled(np.array(values, dtype=name), shape)


def _filled(values: Array, shape: tuple[int, ...]) -> Array:
    """Give ``values`` their shape; where there are fewer than fit, the last one stands for the rest."""
    missing = math.prod(shape) - len(values)
    if missing > 0 and len(values):
        values = np.concatenate([values, np.repeat(values[-1:], missing)])
    return values.reshape(shape)
