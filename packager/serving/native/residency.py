"""Gives the pages of libraries back that starting and loading read once, and keeps those that requests need.

Reading a library maps its pages into the process: of the 720 MB of TensorFlow's about 250 MB, to resolve its
symbols, to apply its relocations and to register its operations. Serving a small model needs a twentieth of
them. They stay in the file cache, so that one that is needed again is mapped again without being read.
"""

from __future__ import annotations

import ctypes
import functools
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_MAPS = Path("/proc/self/maps")
_UNWRITTEN = re.compile(
    r"^([0-9a-f]+)-([0-9a-f]+) (?:r-xp [0-9a-f]+ .*\.so|r--p 0+ .*/libtensorflow_[a-z]+\.so)", re.MULTILINE
)
"""Code, and the constants at the start of TensorFlow's files. What was relocated is the process' own."""
_MADV_DONTNEED = 4
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Parameters of ``mallopt(3)``."""
_LARGEST_MMAP_THRESHOLD = 2**25
"""What glibc raises it to by itself."""

_SOON = 0.25
"""Seconds until what was just done is over."""
_soon = threading.Lock()
"""Held while pages are about to be given back."""


def give_back_pages() -> None:
    """Unmap unwritten pages of libraries, and what was freed, where the system has such calls: on Linux."""
    if not _MAPS.exists():
        return
    system = _system()
    if hasattr(system, "malloc_trim"):  # of glibc
        system.malloc_trim(0)
    for start, end in _unwritten_mappings():
        system.madvise(start, end - start, _MADV_DONTNEED)


def keep_freed_memory() -> None:
    """Let glibc keep what is freed for what comes next, as if it had seen the largest blocks already.

    It gives a heap's end back from twice the largest block on that it has seen mapped. Requests of half a
    megabyte each would then spend half of their time on getting their pages again.
    """
    system = _system()
    if hasattr(system, "malloc_trim"):  # of glibc: others have mallopt too, with other parameters
        system.mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        system.mallopt(_M_TRIM_THRESHOLD, 2 * _LARGEST_MMAP_THRESHOLD)


@functools.cache
def _system() -> Any:
    """Return the C library. Opened anew each time, it would leave classes in cycles, for a long time."""
    system = ctypes.CDLL(None)
    system.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return system


def give_back_pages_soon() -> None:
    """Do so in a moment, in a thread of its own: when others are about to be freed too."""
    if _soon.acquire(blocking=False):
        timer = threading.Timer(_SOON, _give_back_and_release)
        timer.daemon = True
        timer.start()


def _give_back_and_release() -> None:
    _soon.release()
    give_back_pages()


def _unwritten_mappings() -> Iterator[tuple[int, int]]:
    for match in _UNWRITTEN.finditer(_MAPS.read_text()):
        yield int(match[1], 16), int(match[2], 16)
