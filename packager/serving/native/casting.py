"""Turns doubles into floats by an operation of TensorFlow's: Python would make an object of each."""

from __future__ import annotations

import ctypes
import functools
import threading
from array import array
from collections.abc import Sequence
from typing import Any

from packager.serving.native.dtypes import DType
from packager.serving.native.library import Output, Status, c_api
from packager.serving.native.session import THIS_THREAD, run_options
from packager.serving.native.tensors import Tensor

_SIZE = 8
"""Bytes of a double."""
_AT_ONCE = 1 << 16
"""How many are cast at once, in memory that is used again for the next."""
_SURE = bytes(top for top in range(256) if top & 0x7F not in (0x36, 0x37, 0x38))
"""Highest bytes of doubles whose floats are zero or normal for sure: not of 2^-159 to 2^-111."""

_making = threading.Lock()


def float_tensor(shape: Sequence[int], doubles: memoryview) -> Tensor:
    """Make a tensor of the floats that are nearest to ``doubles``, which lie in row-major order as bytes."""
    floats = Tensor.empty(DType.FLOAT, shape)
    address = floats.address
    for start in range(0, len(doubles), _SIZE * _AT_ONCE):
        part = bytes(doubles[start : start + _SIZE * _AT_ONCE])
        ctypes.memmove(address + start // 2, _floats(part), len(part) // 2)
    return floats


def _floats(doubles: bytes) -> bytes:
    """Return the floats that are nearest to doubles."""
    tops = doubles[_SIZE - 1 :: _SIZE]  # little-endian: sign and most of the exponent
    if tops.translate(None, _SURE):  # TensorFlow's threads take subnormal floats for zero
        return array("f", memoryview(doubles).cast("d")).tobytes()
    with _making:
        session, source, target = _cast()
    results = (ctypes.c_void_p * 1)()
    fed = Tensor.from_bytes(DType.DOUBLE, (len(tops),), doubles)
    feeds, options = (ctypes.c_void_p * 1)(fed.handle), run_options(0, THIS_THREAD)
    with Status() as status:
        c_api().TF_SessionRun(session, options, source, feeds, 1, target, results, 1, None, 0, None, status)
    return Tensor(int(results[0] or 0), DType.FLOAT, (len(tops),)).to_bytes()


@functools.cache
def _cast() -> tuple[int, Any, Any]:
    """Return a session of the one operation, what to feed, and what to fetch."""
    api = c_api()
    graph = api.TF_NewGraph()
    doubles = api.TF_NewOperation(graph, b"Placeholder", b"doubles")
    api.TF_SetAttrType(doubles, b"dtype", DType.DOUBLE)
    with Status() as status:
        source = Output(api.TF_FinishOperation(doubles, status), 0)
    floats = api.TF_NewOperation(graph, b"Cast", b"floats")
    api.TF_AddInput(floats, source)
    api.TF_SetAttrType(floats, b"DstT", DType.FLOAT)
    with Status() as status:
        target = Output(api.TF_FinishOperation(floats, status), 0)
    options = api.TF_NewSessionOptions()
    with Status() as status:
        session: int = api.TF_NewSession(graph, options, status)
    api.TF_DeleteSessionOptions(options)
    return session, (Output * 1)(source), (Output * 1)(target)
