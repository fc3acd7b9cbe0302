"""What engines say when they fail, and which of our errors it becomes. Sentences as engines wrote them."""

from __future__ import annotations

import docker.errors
import pytest
import requests
import urllib3

from packager.engine.failures import (
    StreamError,
    build_failure,
    engine_failure,
    pull_failure,
    push_failure,
    start_failure,
    translated,
)
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

REFERENCE = ImageReference.parse("registry.example.com/team/digits:1")
NO_SPACE = "Error processing tar file(exit status 1): write /models/a: no space left on device"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("no basic auth credentials", RegistryAuthError),
        ("unauthorized: authentication required", RegistryAuthError),
        ("denied: requested access to the resource is denied", RegistryAuthError),
        ("unauthorized: incorrect username or password", RegistryAuthError),
        ('Get "https://x/v2/": dial tcp 10.0.0.1:443: connect: connection refused', RegistryUnreachableError),
        ("dial tcp: lookup registry.example.com: no such host", RegistryUnreachableError),
        ("dial tcp: lookup x on [::1]:53: server misbehaving", RegistryUnreachableError),
        ("net/http: TLS handshake timeout", RegistryUnreachableError),
        ("dial tcp 10.0.0.1:443: i/o timeout", RegistryUnreachableError),
        ("http: server gave HTTP response to HTTPS client", RegistryUnreachableError),
        ("x509: certificate signed by unknown authority", RegistryUnreachableError),
        ("An image does not exist locally with the tag: team/digits", ImageNotFoundError),
        ("tag does not exist: team/digits:1", ImageNotFoundError),
        ("received unexpected HTTP status: 500 Internal Server Error", RegistryError),
        (NO_SPACE, EngineFullError),
    ],
)
def test_a_failed_push(text: str, error: type[PackagerError]) -> None:
    failure = push_failure(REFERENCE, text)
    assert type(failure) is error
    assert "registry.example.com" in failure.message or error is EngineError


def test_docker_hub_is_called_by_its_name() -> None:
    failure = push_failure(ImageReference.parse("ada/digits"), "unauthorized: authentication required")
    assert failure.hint == "docker login docker.io"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("dial tcp: lookup registry-1.docker.io on [::1]:53: no such host", "cannot be reached"),
        ("manifest for tensorflow/serving:9.9 not found: manifest unknown", "has no such image"),
        (
            "pull access denied for nobody/nothing, repository does not exist",
            "no such image, or wants a login",
        ),
        ("no basic auth credentials", "wants a login"),
        (
            "no matching manifest for linux/arm64/v8 in the manifest list entries",
            "not made for this machine's",
        ),
        ("something else", "something else"),
    ],
)
def test_a_base_that_cannot_be_pulled(text: str, told: str) -> None:
    failure = pull_failure(REFERENCE, text)
    assert type(failure) is BaseUnavailableError
    assert told in failure.message
    assert failure.details == text
    assert "--base embedded" in str(failure.hint)


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        (
            "driver failed programming external connectivity on endpoint packager-1: Error starting userland "
            "proxy: listen tcp4 127.0.0.1:8501: bind: address already in use",
            PortTakenError,
            "port 8501 is in use",
        ),
        ("Bind for 127.0.0.1:8501 failed: port is already allocated", PortTakenError, "port 8501 is in use"),
        ("port is already allocated", PortTakenError, "a port of the container is in use"),
        (
            'OCI runtime create failed: exec: "/absent": stat /absent: no such file or directory',
            ServerStartError,
            "/absent",
        ),
    ],
)
def test_a_container_that_does_not_start(text: str, error: type[PackagerError], told: str) -> None:
    failure = start_failure(text)
    assert type(failure) is error
    assert told in failure.message


@pytest.mark.parametrize(
    "failure",
    [
        engine_failure("loading the image", NO_SPACE),
        pull_failure(REFERENCE, NO_SPACE),
        push_failure(REFERENCE, NO_SPACE),
        build_failure(REFERENCE, NO_SPACE, "the log"),
    ],
)
def test_a_full_disk_is_called_so_everywhere(failure: PackagerError) -> None:
    assert "disk is full" in failure.message
    assert failure.hint == "make room: docker system df"


def test_a_failed_build_keeps_its_log() -> None:
    failure = build_failure(REFERENCE, "it did not work", "Step 1/2\nStep 2/2")
    assert type(failure) is BuildError
    assert failure.details == "Step 1/2\nStep 2/2"


def _api_error(text: str) -> docker.errors.APIError:
    return docker.errors.APIError("500 Server Error", response=None, explanation=text)


@pytest.mark.parametrize(
    ("raised", "error", "told"),
    [
        (_api_error("it broke\n"), EngineError, "failed while testing: it broke"),
        (StreamError("it broke"), EngineError, "failed while testing: it broke"),
        (docker.errors.DockerException("it broke"), EngineError, "failed while testing: it broke"),
        (requests.ConnectionError("gone"), EngineUnavailableError, "stopped answering while testing"),
        (requests.ReadTimeout("slow"), EngineUnavailableError, "stopped answering while testing"),
        (urllib3.exceptions.ProtocolError("cut"), EngineUnavailableError, "stopped answering while testing"),
        (docker.errors.StreamParseError("cut"), EngineUnavailableError, "stopped answering while testing"),
    ],
)
def test_nothing_of_the_sdk_s_gets_out(raised: Exception, error: type[PackagerError], told: str) -> None:
    with pytest.raises(error, match=told) as caught, translated("testing"):
        raise raised
    assert type(caught.value) is error


def test_the_caller_may_explain_better() -> None:
    with (
        pytest.raises(BuildError, match="in other words: it broke"),
        translated("testing", explain=lambda text: BuildError(f"in other words: {text}")),
    ):
        raise _api_error("it broke")


def test_our_own_errors_pass_as_they_are() -> None:
    with pytest.raises(ImageNotFoundError), translated("testing"):
        raise ImageNotFoundError("not there")
