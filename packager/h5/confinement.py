"""Work on a file that may be hostile, in a forked child: it cannot crash, hang or fill its parent.

libhdf5 is C code that was not written for hostile files. A fork takes some milliseconds and inherits the
imports, where a fresh interpreter takes half a second; h5py holds its own lock over a fork, so that a
child can use it whatever the parent's threads were doing.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import pickle
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

from packager.companion import die_with_parent
from packager.errors import ModelFileError, PackagerError

T = TypeVar("T")

_WALL_SECONDS = 60.0
_MEMORY = 160 * 2**20
_LARGEST_ANSWER = 64 * 2**20
_HEADER = 8


def confined(work: Callable[[], T], path: Path, *, seconds: float) -> T:
    """Return what ``work`` returns, run in a child with ``seconds`` of processor time and some more memory.

    A PackagerError that it raises is raised here. Where the child dies or reaches a limit, a
    ModelFileError says that of ``path``, the file being worked on.
    """
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        die_with_parent()
        _serve(work, theirs, seconds)
    os.close(theirs)
    try:
        answer = _receive(ours, path)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.close(ours)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if answer is None:
        raise _death(path, status, seconds)
    kind, value = pickle.loads(answer)
    if kind == "error":
        raise value
    if kind == "bug":
        raise RuntimeError(f"while reading {os.fspath(path)!r}:\n{value}")
    result: T = value
    return result


def _receive(channel: int, path: Path) -> bytes | None:
    """Return the child's answer, ``None`` where it ends without one."""
    deadline = time.monotonic() + _WALL_SECONDS
    received = bytearray()
    while len(received) < _HEADER or len(received) < _HEADER + int.from_bytes(received[:_HEADER], "big"):
        ready, _, _ = select.select([channel], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise _hostile(path, f"reading its structure takes more than {_WALL_SECONDS:.0f} s")
        chunk = os.read(channel, 1 << 16)
        if not chunk:
            return None
        received += chunk
    return bytes(received[_HEADER:])


def _death(path: Path, status: int, seconds: float) -> ModelFileError:
    if status == -signal.SIGPROF:
        return _hostile(path, f"reading its structure takes more than {seconds:.1f} s of processor time")
    if status < 0:
        return _hostile(path, f"libhdf5 crashes on it ({signal.Signals(-status).name})")
    return _hostile(path, f"reading its structure takes more than {_MEMORY >> 20} MiB of memory")


def _hostile(path: Path, how: str) -> ModelFileError:
    return ModelFileError(
        f"{os.fspath(path)!r} is damaged or hostile: {how}", hint="copy or download it again"
    )


def _serve(work: Callable[[], object], channel: int, seconds: float) -> NoReturn:
    """Answer over ``channel`` and end this process, without running any of the parent's exit handlers."""
    try:
        answer = _answer(work, seconds)
        if 0 < len(answer) <= _LARGEST_ANSWER:
            _send(channel, len(answer).to_bytes(_HEADER, "big") + answer)
    finally:
        os._exit(1)


def _answer(work: Callable[[], object], seconds: float) -> bytes:
    """Return the pickled outcome of ``work``, nothing where memory does not suffice."""
    try:
        _set_limits(seconds)
        return pickle.dumps(("result", work()))
    except PackagerError as error:
        return pickle.dumps(("error", error))
    except MemoryError:
        return b""
    except Exception:  # noqa: BLE001 - it is raised again in the parent, as the bug that it is
        return pickle.dumps(("bug", traceback.format_exc()))


def _send(channel: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(channel, view) :]


def _set_limits(seconds: float) -> None:
    gc.disable()  # a collection would touch, and so copy, every page that is shared with the parent
    faulthandler.disable()  # a crash is reported by the parent, in its own words
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it ends the child
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    _lower(resource.RLIMIT_CORE, 0)
    if (size := _address_space()) is not None:
        _lower(resource.RLIMIT_AS, size + _MEMORY)


def _lower(limit: int, value: int) -> None:
    hard = resource.getrlimit(limit)[1]
    resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _address_space() -> int | None:
    """Return the bytes of address space in use, ``None`` where the system does not tell (no /proc)."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return None
    return pages * resource.getpagesize()
