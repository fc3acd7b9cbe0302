"""Tells from a server's end, its log and its status why it cannot serve, and what to type next.

The texts looked for are TensorFlow Serving's own: ``retrier.cc``, ``loader_harness.cc``,
``server_core.cc`` and ``file_system_storage_path_source.cc`` of github.com/tensorflow/serving.
"""

from __future__ import annotations

import re

from packager.errors import PortTakenError, ServableLoadError, ServerStartError, SmokeError
from packager.smoketest.server import ServerExit

_NEVER_ENDING = re.compile(
    r"No versions of servable .+? found under base path [^\n]+"
    r"|Could not find base path [^\n]+ for servable [^\n]+"
)
_LOAD_FAILED = re.compile(
    r"servable: \{name: .+? version: \d+\} (?:load failure|failed): ([^\n]+)"
    r"|servable\(s\) did not become available: ([^\n]+)",
    re.IGNORECASE,
)
_PORT_TAKEN = re.compile(r"address already in use|port is already allocated", re.IGNORECASE)

_LOAD_HINTS = (
    (
        r"Op type not registered|No OpKernel was registered",
        "this server's TensorFlow lacks an op of the model: build on a newer one, "
        "packager build models/NAME --tag REF --base tensorflow/serving:TAG",
    ),
    (
        r"No versions of servable",
        "the model's folder must hold version folders named by whole numbers: models/NAME/1/saved_model.pb",
    ),
    (
        r"Could not find base path",
        "the model's folder must be $MODEL_BASE_PATH/$MODEL_NAME: packager build sets both",
    ),
    (
        r"warmup",
        "the recorded warm-up requests do not fit the model: packager convert FILE --name NAME --force",
    ),
)
_DAMAGED = "the version folder is incomplete or damaged: packager convert FILE --name NAME --force"

_EXIT_HINTS = {
    126: "the image's entry point cannot be executed: packager build makes one that can",
    127: "the image's entry point names a program that is not there: packager build makes one that is",
    132: "the server's binary needs instructions that this processor lacks, as under emulation: "
    "packager build models/NAME --tag REF --base embedded",
}


def load_failure(log: str) -> str | None:
    """Return the server's own reason why it cannot load what it should serve, if ``log`` tells one."""
    if match := _LOAD_FAILED.search(log):
        return (match[1] or match[2]).strip()
    if match := _NEVER_ENDING.search(log):
        return match[0].strip()
    return None


def cannot_load(reason: str, *, model: str, version: int) -> ServableLoadError:
    """Describe a version that the server refuses to load."""
    hint = next((hint for pattern, hint in _LOAD_HINTS if re.search(pattern, reason)), _DAMAGED)
    return ServableLoadError(f"the server cannot load version {version} of {model!r}: {reason}", hint=hint)


def ended_early(end: ServerExit, log: str, *, model: str, version: int) -> SmokeError:
    """Describe a server that ended before it was ready."""
    if reason := load_failure(log):
        return cannot_load(reason, model=model, version=version)
    if _PORT_TAKEN.search(log):
        return PortTakenError(
            "the server found its port in use",
            hint="choose another with --port, or none: a free one is found",
        )
    return ServerStartError(f"the server ended before it was ready: {end}", hint=_exit_hint(end))


def _exit_hint(end: ServerExit) -> str:
    if end.out_of_memory:
        return "give it more memory, or the engine: the model did not fit"
    return _EXIT_HINTS.get(end.exit_code or 0, "its log, below, says what it was doing")
