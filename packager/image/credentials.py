"""What ``docker login`` left behind: credentials by registry, from its config file or a credential helper.

Formats: docs.docker.com/reference/cli/docker/login, github.com/docker/docker-credential-helpers.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from packager.errors import RegistryAuthError
from packager.values import DOCKER_HUB

_DOCKER_HUB_KEY = "https://index.docker.io/v1/"


class Credentials(NamedTuple):
    """A user name and a password or access token."""

    username: str
    password: str

    @property
    def is_identity_token(self) -> bool:
        """Tell whether the password is a token to get access tokens with, as docker's helpers mark it."""
        return self.username == "<token>"


def credentials_for(registry: str) -> Credentials | None:
    """Return the credentials that the docker command would use for ``registry``, ``None`` without any.

    Raises RegistryAuthError where its config cannot be read.
    """
    config = _read_config()
    key = _DOCKER_HUB_KEY if registry == DOCKER_HUB else registry
    if helper := config.get("credHelpers", {}).get(registry) or config.get("credsStore"):
        return _ask(helper, key)
    for name, entry in config.get("auths", {}).items():
        if _host(name) != _host(key):
            continue
        if entry.get("identitytoken"):
            return Credentials("<token>", entry["identitytoken"])
        if entry.get("auth"):
            username, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
            return Credentials(username, password.rstrip("\0"))
    return None


def _read_config() -> dict[str, Any]:
    path = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RegistryAuthError(
            f"cannot read docker's config '{path}': {error}", hint="repair it, or log in again: docker login"
        ) from error
    return config


def _ask(helper: str, key: str) -> Credentials | None:
    """Ask a credential helper; it fails where it knows nothing, and anonymous access is tried then."""
    try:
        answer = subprocess.run(
            [f"docker-credential-{helper}", "get"], input=key, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise RegistryAuthError(
            f"docker's config names the credential helper {helper!r}, which is not installed",
            hint=f"install docker-credential-{helper}, or take it out of the config",
        ) from None
    if answer.returncode:
        return None
    found = json.loads(answer.stdout)
    return Credentials(found["Username"], found["Secret"])


def _host(name: str) -> str:
    """Return the host of a key of ``auths``, which is a host or a URL, by the version of docker."""
    return name.split("://")[-1].split("/")[0]
