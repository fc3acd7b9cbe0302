"""What the engine says when it fails, told as packager's errors: one place that knows its sentences.

The engine has few error codes. Most failures are told apart only by words of the engine, the registry or
the kernel inside a sentence, so the words are listed here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import requests
import urllib3
from docker.errors import APIError, DockerException, StreamParseError

from packager.errors import (
    BaseUnavailableError,
    BuildError,
    EngineError,
    EngineFullError,
    EngineUnavailableError,
    ImageNotFoundError,
    PackagerError,
    PortTakenError,
    RegistryAuthError,
    RegistryError,
    RegistryUnreachableError,
    ServerStartError,
)
from packager.values import ImageReference

_NO_SPACE = "no space left on device"
_UNREACHABLE = (
    "connection refused",
    "no such host",
    "i/o timeout",
    "network is unreachable",
    "no route to host",
    "connection reset",
    "server misbehaving",
    "Client.Timeout exceeded",
    "TLS handshake timeout",
)
_NEEDS_LOGIN = (
    "no basic auth credentials",
    "unauthorized",
    "authentication required",
    "denied",
    "incorrect username or password",
)
_NOT_TRUSTED = ("x509:", "certificate", "server gave HTTP response to HTTPS client")
_NO_SUCH_IMAGE = ("does not exist locally", "tag does not exist", "No such image")


class StreamError(Exception):
    """The engine reported a failure inside a stream of events that had begun well."""


@contextmanager
def translated(doing: str, explain: Callable[[str], PackagerError] | None = None) -> Iterator[None]:
    """Turn what the SDK raises, or a stream reports, while ``doing`` something into one of our errors.

    ``explain`` makes the error from the engine's own words; EngineError is the default.
    """
    explain = explain or partial(engine_failure, doing)
    try:
        yield
    except APIError as error:  # is a RequestException too, so it comes first
        raise explain(str(error.explanation or error).strip()) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, StreamParseError) as error:
        raise EngineUnavailableError(
            f"the container engine stopped answering while {doing}: {error}",
            hint="see that it runs: docker version",
        ) from error
    except (StreamError, DockerException) as error:
        raise explain(str(error)) from error


def engine_failure(doing: str, text: str) -> EngineError:
    """Say that the engine failed while ``doing`` something."""
    if _NO_SPACE in text:
        return EngineFullError(
            f"the engine's disk is full, found while {doing}", hint="make room: docker system df"
        )
    return EngineError(f"the container engine failed while {doing}: {text}")


def pull_failure(reference: ImageReference, text: str) -> EngineError:
    """Say why ``reference`` cannot be pulled as a base."""
    if _NO_SPACE in text:
        return engine_failure(f"pulling {str(reference)!r}", text)
    if _mentions(text, _UNREACHABLE):
        problem = "its registry cannot be reached"
    elif "no matching manifest" in text:
        problem = "it is not made for this machine's architecture"
    elif "manifest unknown" in text or "not found" in text:
        problem = "its registry has no such image"
    elif _mentions(text, _NEEDS_LOGIN):
        problem = "its registry has no such image, or wants a login"
    else:
        problem = text
    return BaseUnavailableError(
        f"the base image {str(reference)!r} cannot be had: {problem}",
        hint="build on packager's own runtime, which needs no registry: --base embedded",
        details=text,
    )


def build_failure(tag: ImageReference, text: str, log: str) -> EngineError:
    """Say why the image ``tag`` cannot be built."""
    if _NO_SPACE in text:
        return engine_failure(f"building {str(tag)!r}", text)
    return BuildError(f"the image {str(tag)!r} cannot be built: {text}", details=log)


def push_failure(reference: ImageReference, text: str) -> PackagerError:
    """Say why ``reference`` cannot be pushed."""
    registry = reference.domain or "docker.io"
    if _mentions(text, _NO_SUCH_IMAGE):
        return image_missing(str(reference))
    if _mentions(text, _UNREACHABLE):
        return RegistryUnreachableError(
            f"no registry answers at {registry!r}", hint="check the address and the network", details=text
        )
    if _mentions(text, _NEEDS_LOGIN):
        return RegistryAuthError(
            f"the registry {registry!r} refuses these credentials for {reference.path!r}",
            hint=f"docker login {registry}",
            details=text,
        )
    if _mentions(text, _NOT_TRUSTED):
        return RegistryUnreachableError(
            f"the engine does not trust the registry {registry!r}: {text}",
            hint="give it a certificate that the engine trusts, or list it under insecure-registries",
        )
    if _NO_SPACE in text:
        return engine_failure(f"pushing {str(reference)!r}", text)
    return RegistryError(f"the push of {str(reference)!r} failed: {text}")


def start_failure(text: str) -> PackagerError:
    """Say why a container did not start."""
    if "address already in use" in text or "port is already allocated" in text:
        port = re.search(r"\d+\.\d+\.\d+\.\d+:(\d+)", text)
        return PortTakenError(
            f"port {port[1]} is in use" if port else "a port of the container is in use",
            hint="leave the port out to get a free one, or name another",
        )
    return ServerStartError(f"the container did not start: {text}")


def image_missing(reference: str) -> ImageNotFoundError:
    """Say that the engine has no such image."""
    return ImageNotFoundError(
        f"the engine has no image {reference!r}",
        hint="build it first (packager build), or list them: docker images",
    )


def _mentions(text: str, words: tuple[str, ...]) -> bool:
    return any(word in text for word in words)
