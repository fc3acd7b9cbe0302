"""Doubles become the floats that Python makes of them, subnormal ones included."""

from __future__ import annotations

import random
import struct
from array import array

import pytest

from packager.serving.native.casting import float_tensor
from packager.serving.native.dtypes import DType

pytestmark = pytest.mark.tensorflow

SPECIAL = [0.0, -0.0, 1e-45, 7e-46, -1e-40, 1.1754943e-38, 1.17549435e-38, 2.0**-111, 2.0**-150, 2.0**-160]
SPECIAL += [5e-324, 16777217.0, 1.00000017881393432617187499, 3.4028235e38, 3.4028236e38, -1e39, 1e308]


def drawn(count: int) -> list[float]:
    """Draw doubles of any size: by their bits, but for infinities and what is no number."""
    values = struct.unpack(f"{count}d", random.Random(count).randbytes(8 * count))
    return [value for value in values if abs(value) < float("inf")]


@pytest.mark.parametrize(
    "values",
    [[0.5], SPECIAL, *([value] * 3 for value in SPECIAL), drawn(1000), drawn(400_000), [1 / 3] * 600_000],
)
def test_floats_are_those_that_python_makes(values: list[float]) -> None:
    tensor = float_tensor((len(values), 1), memoryview(array("d", values)).cast("B"))
    assert (tensor.dtype, tensor.shape) == (DType.FLOAT, (len(values), 1))
    assert tensor.to_bytes() == array("f", values).tobytes()
