"""TensorFlow's own profiler: traces of what sessions run, by an extension module of its wheel.

The module needs nothing of the tensorflow package to be run, but a third library beside the two of the C API;
an image has neither. It is loaded by whoever asks for the first trace.
"""

from __future__ import annotations

import functools
import importlib.util
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packager.protocol import message
from packager.serving.native.library import tensorflow_folder
from packager.serving.status import Code, StatusError

MAX_SECONDS = 60.0
"""The longest trace: it lies in memory until it is over."""

_MODULE = "python/profiler/internal/_pywrap_profiler.so"


class Profiler:
    """Takes one trace at a time."""

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self._stop = threading.Event()

    def trace(self, seconds: float, *, host: str) -> tuple[bytes, bool]:
        """Trace for so long, or until it is stopped; return an XSpace, and whether anything happened."""
        session_type = _session_type()
        if not self._busy.acquire(blocking=False):
            raise StatusError(Code.ALREADY_EXISTS, "Another profiling session is active.")
        try:
            self._stop.clear()
            with TemporaryDirectory(prefix="trace-") as folder:
                session = session_type()
                session.start(folder, {})
                self._stop.wait(min(seconds, MAX_SECONDS))
                session.export_to_tb()
                (written,) = Path(folder).glob("plugins/profile/*/*.xplane.pb")
                space = message("XSpace").FromString(written.read_bytes())
        finally:
            self._busy.release()
        space.hostnames[:] = [host]
        happened = any(line.events for plane in space.planes for line in plane.lines)
        return space.SerializeToString(), happened

    def stop(self) -> None:
        """End the trace that is being taken, if there is one."""
        self._stop.set()


@functools.cache
def _session_type() -> Any:
    """Load the extension module, or raise StatusError."""
    spec = importlib.util.spec_from_file_location("_pywrap_profiler", tensorflow_folder() / _MODULE)
    try:
        if spec is None or spec.loader is None:
            raise ImportError(_MODULE)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.ProfilerSession
    except (ImportError, AttributeError) as error:
        raise StatusError(Code.UNIMPLEMENTED, f"this server has no profiler: {error}") from error
