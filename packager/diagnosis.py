"""What ``doctor`` looks at: each thing that packager needs here, tried, with what to type if it fails."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from packager.errors import EngineUnavailableError, PackagerError
from packager.values import Check

NEEDED_BYTES = 4_000_000_000
"""Room for an embedded base, its copy in an engine, and a model."""

SERVING_PORTS = (8500, 8501)


def look_around(*, base: str) -> tuple[Check, ...]:
    """Check every part in the order in which a run of ``package`` would need it."""
    checks: tuple[Callable[[], Check], ...] = (
        _python,
        _tensorflow,
        _server,
        _engine,
        lambda: _base(base),
        _ports,
        lambda: _disk("disk here", Path.cwd()),
        lambda: _disk("disk cache", _cache_folder()),
    )
    return tuple(check() for check in checks)


def _python() -> Check:
    return Check(
        name="python",
        ok=True,
        found=f"{platform.python_version()} on {platform.system()} {platform.machine()}",
    )


def _tensorflow() -> Check:
    """Import TensorFlow and both Keras, in a process of their own."""
    modules = "tensorflow, keras, tf_keras"
    program = f"import {modules}; print(*(module.__version__ for module in ({modules})))"
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    failure, output = _run([sys.executable, "-c", program], environment)
    if failure:
        return Check(
            name="tensorflow",
            ok=False,
            found=failure,
            fix="pip install --force-reinstall tensorflow tf-keras",
        )
    tensorflow, keras, tf_keras = output.split()[-3:]
    return Check(
        name="tensorflow",
        ok=True,
        found=f"{tensorflow}, keras {keras} (Keras 3 files), tf_keras {tf_keras} (Keras 2 files)",
    )


def _server() -> Check:
    """Load the runtime that the embedded server runs on, without TensorFlow's Python package."""
    failure, output = _run([sys.executable, "-m", "packager.serving", "--version"], {})
    return Check(
        name="server",
        ok=not failure,
        found=failure or f"embedded server: {output.strip().splitlines()[-1]}",
        fix="pip install --force-reinstall tensorflow",
    )


def _engine() -> Check:
    from packager.engine import connect

    try:
        engine = connect(timeout=10)
    except EngineUnavailableError as error:
        without = "without one, images are written as OCI layouts and tested as a local process"
        return Check(
            name="engine", ok=False, found=str(error), fix=f"{error.hint or without}", required=False
        )
    try:
        return Check(name="engine", ok=True, found=f"docker {engine.version}, {engine.platform}")
    finally:
        engine.close()


def _base(base: str) -> Check:
    from packager.image import describe_base

    try:
        return Check(name="base", ok=True, found=describe_base(base))
    except PackagerError as error:
        return Check(name="base", ok=False, found=str(error), fix=error.hint, required=False)


def _ports() -> Check:
    taken = [port for port in SERVING_PORTS if not _is_free(port)]
    if taken:
        found = f"in use: {', '.join(map(str, taken))} (smoke tests take free ones)"
        return Check(
            name="ports", ok=False, found=found, fix="packager serve MODEL --port 8601", required=False
        )
    return Check(name="ports", ok=True, found="8500 and 8501 are free")


def _disk(name: str, folder: Path) -> Check:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    return Check(
        name=name,
        ok=free >= NEEDED_BYTES,
        found=f"{free / 1e9:.1f} GB free at {folder}",
        fix="free some space, or name another folder: export PACKAGER_CACHE=DIR",
        required=False,
    )


def _cache_folder() -> Path:
    from packager.image import cache_folder

    return cache_folder()


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _run(command: list[str], environment: dict[str, str]) -> tuple[str, str]:
    """Run ``command``; return why it failed, or nothing, and what it wrote."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "no answer within 120 s", ""
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return lines[-1] if lines else f"exit status {done.returncode}", ""
    return "", done.stdout
