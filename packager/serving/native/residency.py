"""Gives the pages of TensorFlow's library back that loading read once and serving does not need.

Reading a library maps its pages into the process: of the 720 MB of this one about 250 MB, to resolve its
symbols, to apply its relocations and to register its operations. Serving a small model needs a tenth of
them. They stay in the file cache, so that one that is needed again is mapped again without being read.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from pathlib import Path

_MAPS = Path("/proc/self/maps")
_UNWRITTEN = re.compile(
    r"^([0-9a-f]+)-([0-9a-f]+) (?:r-xp [0-9a-f]+|r--p 0+) .*/libtensorflow_[a-z]+\.so", re.MULTILINE
)
"""Code, and the constants at the start of the file. What was relocated is private to the process."""
_MADV_DONTNEED = 4


def give_back_pages() -> None:
    """Unmap the unwritten pages of TensorFlow's library, where the system has such a call: on Linux."""
    if not _MAPS.exists():
        return
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, end in _unwritten_mappings():
        madvise(start, end - start, _MADV_DONTNEED)


def _unwritten_mappings() -> Iterator[tuple[int, int]]:
    for match in _UNWRITTEN.finditer(_MAPS.read_text()):
        yield int(match[1], 16), int(match[2], 16)
