"""What the embedded runtime is made of: the parts that a server process needs, and where they are here.

The server (``packager.serving``) runs on the TensorFlow C API, so of the tensorflow wheel it needs two
shared objects and the generated protobuf modules, and nothing that imports the tensorflow package.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from packager.errors import UsageError

DISTRIBUTIONS = ("protobuf", "httptools", "orjson", "pysimdjson", "uvloop", "grpcio", "typing_extensions")
"""What ``packager.serving`` imports besides the standard library, and what that needs in its turn."""

SERVER_PACKAGES = ("serving", "protocol")
"""The packages inside packager that are the server."""

TENSORFLOW_LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")
"""The shared objects of the TensorFlow C API, in the folder of the tensorflow package."""


def tensorflow_folder() -> Path:
    """Return the folder of the installed tensorflow package, without importing it."""
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or not spec.submodule_search_locations:
        raise UsageError("tensorflow is not installed", hint="pip install tensorflow")
    return Path(next(iter(spec.submodule_search_locations)))


def server_command(
    base_path: Path, *, rest_port: int, grpc_port: int, address: str, flags: Sequence[str] = ()
) -> list[str]:
    """Return the command that serves the model folder ``base_path`` as a process of this machine.

    ``grpc_port`` and ``rest_port`` listen on ``address``; ``flags`` are further ones of
    ``tensorflow_model_server`` and win over these.
    """
    base_path = base_path.resolve()
    return [
        sys.executable,
        "-m",
        "packager.serving",
        f"--port={grpc_port}",
        f"--rest_api_port={rest_port}",
        f"--rest_api_address={address}",
        f"--grpc_address={address}",
        f"--model_name={base_path.name}",
        f"--model_base_path={base_path}",
        *flags,
    ]


def server_environment() -> Mapping[str, str]:
    """Return the environment for a server that is not to outlive this process, however this one ends."""
    return {**os.environ, "PACKAGER_PARENT": str(os.getpid())}
