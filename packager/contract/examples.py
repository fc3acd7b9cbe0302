"""The serialised ``tf.Example`` records that classify and regress take, as what clients write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from packager.contract.samples import Array, readable
from packager.protocol import message

Features = Mapping[str, tuple[str, Array]]
"""Each feature's kind (``float_list``) and values."""


def features_of(serialised: bytes) -> Features:
    """Return the features of one serialised example, by name."""
    example = message("Example").FromString(serialised)
    return {name: _feature(example.features.feature[name]) for name in sorted(example.features.feature)}


def example_json(serialised: bytes) -> dict[str, Any]:
    """Return an example as an element of ``examples``: each feature a value, or a list of several."""
    found: dict[str, Any] = {}
    for name, (_, values) in features_of(serialised).items():
        shown = readable(name, values)
        found[name] = shown[0] if len(shown) == 1 else shown
    return found


def _feature(feature: Any) -> tuple[str, Array]:
    kind = feature.WhichOneof("choice") or "bytes_list"
    values = list(getattr(feature, kind).value)
    if kind != "bytes_list":
        return kind, np.array(values, np.float32 if kind == "float_list" else np.int64)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return kind, array
