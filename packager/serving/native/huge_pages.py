"""Has glibc ask for huge pages for what it allocates, where the kernel gives them to those who ask.

The processor then looks up one page for what were 512: ResNet50 takes 2.8 % less time for one image
(median of 6 pairs of processes, 1.6 to 5.7 %), and holds 3 MB more. glibc reads whether to ask when a
process starts, from its environment, so the process starts anew: before anything else, when that
takes 17 ms.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress

TUNABLES = "GLIBC_TUNABLES"
"""What glibc reads. Before 2.35 it passes over what it is told here."""
_ASK = "glibc.malloc.hugetlb=1"
_KERNEL = "/sys/kernel/mm/transparent_hugepage"
_LARGEST = 2 << 20
"""Bytes of a huge page, at most. They are held whole, and where ARM has pages of 64 kB they have 512 MB."""
_ENDING = (signal.SIGTERM, signal.SIGINT)


def ask_for_huge_pages() -> None:
    """Start this process anew, as it was started, to have huge pages for its heap where that is of use.

    Signals that end it wait meanwhile: process 1 of a container gets none without a handler. That they
    wait outlasts any start, which the environment does not: glibc takes its variable from a process with
    more rights than its user has. So it is what keeps this from being done for ever.
    """
    started_anew = signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    if not started_anew and is_of_use(os.environ):
        with suppress(OSError):  # without them, then
            os.execve(sys.executable, sys.orig_argv, {**os.environ, TUNABLES: _ASK})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


def is_of_use(environment: Mapping[str, str], kernel: str = _KERNEL) -> bool:
    """Tell whether the kernel gives huge pages to who asks, small enough ones, and the user left it to us."""
    try:
        return (
            TUNABLES not in environment
            and "[madvise]" in _read(f"{kernel}/enabled")
            and int(_read(f"{kernel}/hpage_pmd_size")) <= _LARGEST
        )
    except (OSError, ValueError):
        return False


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes 3 ms, before and after
        return file.read()
