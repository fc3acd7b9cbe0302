"""Running a function in a process of its own: a crash there is an error here, and its memory is given back.

The child is a fresh interpreter, not a fork: TensorFlow's threads do not survive a fork, and a parent
that was asked only for help text must not have to import it. Requests, events, results and errors travel
as pickles between two processes of one user over private pipes.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import IO, Any, TypeVar

from packager.errors import ModelLoadError, PackagerError
from packager.progress import Event, Report, silent

T = TypeVar("T")


class ChildBugError(Exception):
    """Something in the child raised what is no PackagerError; holds the child's traceback."""


def run_isolated(
    function: Callable[..., T],
    /,
    *args: Any,
    report: Report = silent,
    environment: Mapping[str, str] | None = None,
    doing: str = "loading the model",
) -> T:
    """Call ``function(*args, report=…)`` in a child process and return what it returns.

    ``function`` must be importable by module and name. A PackagerError that it raises is raised here;
    when the process dies instead, a ModelLoadError says by what, with the end of what it wrote. The
    child never outlives this call, nor this process.
    """
    with tempfile.TemporaryFile() as log, _channel() as (ours, theirs):
        child = subprocess.Popen(
            [sys.executable, "-m", "packager.isolation", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[theirs.fileno()],
            env={**os.environ, **(environment or {})},
            start_new_session=True,  # Ctrl-C is the parent's to handle: it ends the child itself
        )
        theirs.close()
        try:
            answer: T = _converse(ours, (function.__module__, function.__qualname__, args), report)
            return answer
        except EOFError:
            raise _death(child.wait(), log, doing) from None
        finally:
            child.kill()
            child.wait()


@contextlib.contextmanager
def _channel() -> Iterator[tuple[Any, Any]]:
    ours, theirs = Pipe(duplex=True)
    with contextlib.closing(ours), contextlib.closing(theirs):
        yield ours, theirs


def _converse(ours: Any, request: Any, report: Report) -> Any:
    """Send the request, pass events on, and return the result or raise the error."""
    try:
        ours.send(request)
        while True:
            kind, value = ours.recv()
            if kind == "event":
                report(value)
            elif kind == "result":
                return value
            elif kind == "error":
                raise value
            else:
                raise ChildBugError(value)
    except ConnectionError as error:
        raise EOFError from error


def _death(status: int, log: IO[bytes], doing: str) -> ModelLoadError:
    log.seek(max(0, os.fstat(log.fileno()).st_size - 8000))
    how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"exited with status {status}"
    hint = "it may have run out of memory: see dmesg" if status == -signal.SIGKILL else None
    return ModelLoadError(
        f"{doing}: the process {how}", hint=hint, details=log.read().decode("utf-8", "replace").strip()
    )


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, however it dies (prctl(2), PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _serve(descriptor: int) -> None:
    """Answer the one request that comes over ``descriptor``."""
    channel: Any = Connection(descriptor)

    def tell(event: Event) -> None:
        channel.send(("event", event))

    module, name, args = channel.recv()
    try:
        result = getattr(importlib.import_module(module), name)(*args, report=tell)
    except PackagerError as error:
        channel.send(("error", error))
    except Exception:  # noqa: BLE001 - it is raised again in the parent, as the bug that it is
        channel.send(("bug", traceback.format_exc()))
    else:
        channel.send(("result", result))


if __name__ == "__main__":
    _die_with_parent()
    _serve(int(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)  # tearing TensorFlow down takes longer than there is anything left to do
