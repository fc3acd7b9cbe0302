"""Reaching the engine: where the docker command would look for it, and why it does not answer."""

from __future__ import annotations

import os
from collections.abc import Iterator

import docker
import requests
from docker.errors import DockerException

from packager.engine.engine import Engine
from packager.errors import EngineUnavailableError

DEFAULT_ADDRESS = "unix:///var/run/docker.sock"

_ANSWER_WITHIN = 15
"""Seconds for the first question: an engine that hangs must not hold the user for a build's timeout."""

_BUILD_WITHOUT = "or do without one: --engine none --oci-layout DIR"


def connect(*, timeout: float = 600, otherwise: str = _BUILD_WITHOUT) -> Engine:
    """Return the engine that ``DOCKER_HOST``, the docker context or the default socket leads to.

    ``timeout`` is how many seconds the engine may be silent in the middle of a task. Raises
    EngineUnavailableError, which says what is in the way and what to type, or ``otherwise`` without one.
    """
    try:
        client = docker.from_env(timeout=_ANSWER_WITHIN).api
        about = client.version()
    except (DockerException, requests.RequestException, OSError, ValueError) as error:
        raise unavailable(error, os.environ.get("DOCKER_HOST") or DEFAULT_ADDRESS, otherwise) from error
    client.timeout = int(timeout)
    return Engine(client, version=about["Version"], platform=f"{about['Os']}/{about['Arch']}")


def unavailable(error: BaseException, address: str, otherwise: str) -> EngineUnavailableError:
    """Say why no engine answers at ``address``, from what the docker SDK raised."""
    kinds = {type(cause) for cause in _causes(error)}
    text = str(error)
    if FileNotFoundError in kinds:
        problem, fix = (
            "there is no such socket",
            f"start Docker: sudo systemctl start docker, {otherwise}",
        )
    elif ConnectionRefusedError in kinds:
        problem, fix = "connection refused", f"start Docker: sudo systemctl start docker, {otherwise}"
    elif PermissionError in kinds:
        problem = "permission denied"
        fix = "join the docker group and log in again: sudo usermod -aG docker $USER"
    elif "is too new" in text or "is too old" in text:
        problem = "it speaks another version of the API than this client"
        fix = "upgrade the engine or the client: pip install --upgrade docker"
    elif "Invalid bind address" in text or "Unrecognized host" in text or isinstance(error, ValueError):
        problem, fix = "that is not an address", f"unset DOCKER_HOST, or export DOCKER_HOST={DEFAULT_ADDRESS}"
    else:
        problem, fix = text, f"see what the engine says: docker version, {otherwise}"
    return EngineUnavailableError(f"no container engine answers at {address!r}: {problem}", hint=fix)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error`` and what it was made from: its causes, and exceptions among its arguments."""
    yield error
    inner = [error.__cause__, *(a for a in error.args if isinstance(a, BaseException))]
    for cause in filter(None, inner):
        yield from _causes(cause)
