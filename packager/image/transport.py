"""Requests to a registry: authorised as it asks, tried again when it is busy, and failed in our words.

Tokens: distribution.github.io/distribution/spec/auth.
"""

from __future__ import annotations

import ipaddress
import re
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from packager.errors import RegistryAuthError, RegistryError, RegistryUnreachableError
from packager.image.credentials import Credentials, credentials_for
from packager.values import AS_DOCKER_DOES, DOCKER_HUB, ImageReference, RegistryAccess, registry_of

PAUSES = (0.5, 1.0, 2.0)
"""Seconds before each further try."""

_TIMEOUT = (10, 60)
"""Seconds to connect, and between two chunks."""

_CERTIFICATES = Path("/etc/docker/certs.d")

_BUSY = (429, 500, 502, 503, 504)
_FULL = ("no space left on device", '"Err":28')
"""How registries tell of it; docker's own gives the number of ENOSPC."""

_LONGEST_PAUSE = 30.0

Content = Callable[[], bytes | Iterable[bytes]]
"""Makes a request's body, once for each try."""


class InterruptedTransferError(RegistryUnreachableError):
    """The connection broke, or the registry failed, in the middle of an exchange."""


class _Bearer(requests.auth.AuthBase):
    """A token, in the header that it goes in."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


Authorization = Credentials | _Bearer


class Transport:
    """The way to one repository of a registry; paths are relative to the repository's own URL."""

    def __init__(self, reference: ImageReference, access: RegistryAccess = AS_DOCKER_DOES) -> None:
        self.registry = registry_of(reference)
        self.path = reference.path
        self._access = access if self.registry in access.registries else AS_DOCKER_DOES
        host = self.registry
        if self.registry == DOCKER_HUB:
            host = "registry-1.docker.io"
            self.path = self.path if "/" in self.path else f"library/{self.path}"
        self._scheme = "http" if _is_loopback(host) or self._access.plain_http else "https"
        self.url = f"{self._scheme}://{host}/v2/{self.path}"
        self._host = host
        self._authorization: Authorization | None = None
        self._logging_in = threading.Lock()
        self._session = requests.Session()
        self._session.trust_env = not _is_loopback(host)  # no proxy leads back to this machine
        authority = self._access.ca_certificate or _docker_authority(host)
        # On the session it would count less than what the environment says (requests#3829).
        self._options: dict[str, Any] = {"timeout": _TIMEOUT} | (
            {"verify": str(authority)} if authority else {}
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: Content | None = None,
        stream: bool = False,
        repeatable: bool = True,
        expected: Collection[int] = (),
    ) -> requests.Response:
        """Return the registry's answer, or raise a RegistryError.

        ``expected`` are statuses of failures that are answers to the caller. What is not ``repeatable`` is
        tried once, and raises InterruptedTransferError where another try could end well.
        """
        options = {"headers": headers, "params": params, "stream": stream}
        for pause in (*PAUSES, None) if repeatable else (None,):
            try:
                response = self._asked(method, urljoin(f"{self.url}/", path), content, options)
            except requests.RequestException as error:
                if pause is None or not _may_pass(error):
                    self.broken(error)
            else:
                if response.status_code not in _BUSY or pause is None:
                    return self._checked(response, path, expected)
                pause = max(pause, _asked_pause(response))
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def broken(self, error: Exception) -> NoReturn:
        """Say that the registry does not answer, or does no more."""
        kind = InterruptedTransferError if _may_pass(error) else RegistryUnreachableError
        problem, hint = f"no registry answers at {self.registry!r}", "check the address and the network"
        if "WRONG_VERSION_NUMBER" in str(error) or "HTTP_REQUEST" in str(error):
            problem = f"the registry {self.registry!r} does not encrypt"
            hint = "if that is meant to be, say so: --plain-http"
        elif "CERTIFICATE_VERIFY_FAILED" in str(error):
            problem = (
                f"the certificate of the registry {self.registry!r} is of no authority that is trusted here"
            )
            hint = "name the authority's certificate: --ca-cert FILE"
        raise kind(problem, hint=hint, details=str(error)) from error

    def _asked(
        self, method: str, url: str, content: Content | None, options: Mapping[str, Any]
    ) -> requests.Response:
        """Ask the registry, with credentials; or whom it points to for an upload, who gets none of ours."""
        parts = urlsplit(url)
        if parts.netloc.removesuffix(":443") != self._host.removesuffix(":443"):
            body = content() if content else None
            return requests.request(method, url, data=body, timeout=_TIMEOUT, **options)
        return self._authorised(method, parts._replace(scheme=self._scheme).geturl(), content, options)

    def _authorised(
        self, method: str, url: str, content: Content | None, options: Mapping[str, Any]
    ) -> requests.Response:
        def ask(authorization: Authorization | None) -> requests.Response:
            body = content() if content else None
            return self._session.request(
                method, url, data=body, auth=authorization, **self._options, **options
            )

        authorization, own = self._authorization, False
        response = ask(authorization)
        while response.status_code == requests.codes.unauthorized and not own:
            with self._logging_in:
                # Another thread may have logged in since; perhaps for less than is wanted here.
                own = self._authorization is authorization
                if own:
                    challenge = response.headers.get("WWW-Authenticate", "")
                    self._authorization = self._logged_in(challenge)
                authorization = self._authorization
            response = ask(authorization)
        return response

    def _logged_in(self, challenge: str) -> Authorization | None:
        """Get what the registry's challenge asks for: basic credentials, or a token of its token service."""
        scheme, _, rest = challenge.partition(" ")
        credentials = self._credentials()
        if scheme.lower() == "bearer":
            parameters = dict(re.findall(r'(\w+)="([^"]*)"', rest))
            token = self._token(parameters, credentials)
            return _Bearer(token) if token else None
        return credentials

    def _credentials(self) -> Credentials | None:
        if self._access.username is not None and self._access.password is not None:
            return Credentials(self._access.username, self._access.password)
        return credentials_for(self.registry)

    def _token(self, parameters: dict[str, str], credentials: Credentials | None) -> str | None:
        """Get a token from the token service, ``None`` where it refuses."""
        realm = parameters.pop("realm", "")
        if credentials and credentials.is_identity_token:
            form = {**parameters, "grant_type": "refresh_token", "refresh_token": credentials.password}
            answer = self._session.post(realm, data=form | {"client_id": "packager"}, **self._options)
        else:
            answer = self._session.get(realm, params=parameters, auth=credentials, **self._options)
        found = answer.json() if answer.ok else {}
        token: str | None = found.get("token") or found.get("access_token")
        return token

    def _checked(
        self, response: requests.Response, path: str, expected: Collection[int]
    ) -> requests.Response:
        status = response.status_code
        if response.ok or status in expected:
            return response
        if status in (requests.codes.unauthorized, requests.codes.forbidden):
            raise RegistryAuthError(
                f"the registry {self.registry!r} refuses these credentials for {self.path!r}",
                hint=f"docker login {self.registry}",
            )
        if status == requests.codes.not_found:
            raise RegistryError(f"the registry {self.registry!r} has no {self.path!r} with {path!r}")
        if any(word in response.text for word in _FULL):
            raise RegistryError(
                f"the disk of the registry {self.registry!r} is full",
                hint="make room there, or remove images that nobody needs and let it collect the garbage",
                details=response.text[:1000],
            )
        kind = InterruptedTransferError if status in _BUSY else RegistryError
        raise kind(
            f"the registry {self.registry!r} answered {status} {response.reason}",
            details=response.text[:1000] or None,
        )


def _may_pass(error: Exception) -> bool:
    """Tell whether another try may end well: something had answered, and broke off."""
    never_answered = isinstance(error, requests.ConnectTimeout) or any(
        isinstance(cause, urllib3.exceptions.MaxRetryError) for cause in error.args
    )
    return not never_answered and isinstance(
        error, (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    )


def _asked_pause(response: requests.Response) -> float:
    """Return the seconds of ``Retry-After``, 0 where there is none (or a date, which is rare)."""
    text = response.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_PAUSE) if text.isdecimal() else 0.0


def _docker_authority(host: str) -> Path | None:
    """Return the certificate by which docker trusts this registry (docs.docker.com/engine/security)."""
    found = sorted((_CERTIFICATES / host).glob("*.crt"))
    return found[0] if found else None


def _is_loopback(host: str) -> bool:
    """Tell whether plain http is good enough, as it is for the docker command."""
    name = host.rsplit(":", 1)[0].strip("[]")
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
