"""Tells from a server's end, its log and its status why it cannot serve, and what to type next.

The texts looked for are TensorFlow Serving's own: ``retrier.cc``, ``loader_harness.cc``,
``server_core.cc`` and ``file_system_storage_path_source.cc`` of github.com/tensorflow/serving.
"""

from __future__ import annotations

import re

from packager.errors import (
    MissingOpError,
    OutOfMemoryError,
    PortTakenError,
    RequestError,
    ServableLoadError,
    ServerStartError,
    SmokeError,
)
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

_OP_MISSING = re.compile(r"Op type not registered|No OpKernel was registered")

_CONVERT = "packager convert FILE --name NAME --force"
_DAMAGED = f"the version folder is incomplete or damaged: {_CONVERT}"
OTHER_MODEL = f"the model is not the one that its contract tells of: {_CONVERT}"

_HINTS = (
    (
        r"Op type not registered",
        "this server's TensorFlow lacks an op of the model: build on a newer one, "
        "packager build models/NAME --tag REF --base tensorflow/serving:TAG",
    ),
    (r"No OpKernel was registered", f"an op of the model runs on other processors only: {_CONVERT}"),
    (r"No versions of servable", "version folders are named by whole numbers: models/NAME/1/saved_model.pb"),
    (
        r"Could not find base path",
        "the model has to be in $MODEL_BASE_PATH/$MODEL_NAME, as packager build puts it",
    ),
    (r"warmup", f"the recorded warm-up requests do not fit the model: {_CONVERT}"),
    (r"Could not find variable|uninitialized", _DAMAGED),
    (r"[Ss]ignature name|named input|keys must be equal|is not of expected type", OTHER_MODEL),
)
"""What to type, by what the server says, whether while loading or while answering."""

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
    kind = MissingOpError if _OP_MISSING.search(reason) else ServableLoadError
    return kind(
        f"the server cannot load version {version} of {model!r}: {reason}", hint=_hint(reason) or _DAMAGED
    )


def refused(http_status: int, text: str) -> RequestError:
    """Describe a prediction request that the server answers with an error."""
    return RequestError(f"HTTP {http_status}: {text}", hint=_hint(text))


def refused_over_grpc(code: str, text: str) -> RequestError:
    """Describe a prediction request that the server answers with a gRPC status."""
    return RequestError(f"gRPC {code}: {text}", hint=_hint(text))


def ended_early(end: ServerExit, log: str, *, model: str, version: int) -> SmokeError:
    """Describe a server that ended before it was ready."""
    if reason := load_failure(log):
        return cannot_load(reason, model=model, version=version)
    if _PORT_TAKEN.search(log):
        return PortTakenError(
            "the server found its port in use",
            hint="choose another with --port, or none: a free one is found",
        )
    if end.out_of_memory:
        return out_of_memory(end, "before it was ready")
    return ServerStartError(f"the server ended before it was ready: {end}", hint=_exit_hint(end))


def ended_while_asked(end: ServerExit, lost: RequestError) -> SmokeError:
    """Describe a server that ended over a request, whose connection was ``lost``."""
    if end.out_of_memory:
        return out_of_memory(end, "while it was asked")
    return RequestError(f"the server ended while it was asked: {end} ({lost})", hint=lost.hint)


def out_of_memory(end: ServerExit, when: str) -> OutOfMemoryError:
    """Describe a server that the kernel killed for want of memory."""
    return OutOfMemoryError(
        f"the server ended {when}: {end}",
        hint="the model needs more: raise the container's limit, --memory 4GB, or that of the engine",
    )


def _hint(text: str) -> str | None:
    return next((hint for pattern, hint in _HINTS if re.search(pattern, text)), None)


def _exit_hint(end: ServerExit) -> str:
    return _EXIT_HINTS.get(end.exit_code or 0, "its log, below, says what it was doing")
