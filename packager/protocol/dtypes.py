"""Element types of tensors: their numbers, by numpy's names, and the fields that hold their values."""

from __future__ import annotations

STRING = 7
"""The type of text and bytes, which numpy has no name for."""

DTYPES = {
    **{"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int16": 5, "int8": 6, "int64": 9, "bool": 10},
    **{"uint16": 17, "float16": 19, "uint32": 22, "uint64": 23},
}
"""Numbers of tensorflow/core/framework/types.proto."""

OTHER_DTYPES = {"bfloat16": 14, "complex64": 8, "complex128": 18, "string": STRING}
"""Those of signatures that are not in numpy, or not in JSON."""

FIELDS = {
    **{"float32": "float_val", "float64": "double_val", "int64": "int64_val", "bool": "bool_val"},
    **{"uint32": "uint32_val", "uint64": "uint64_val", "float16": "half_val"},
}
"""Where values lie that are not in ``tensor_content``; those of the other types are in ``int_val``."""
