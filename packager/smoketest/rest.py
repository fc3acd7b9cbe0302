"""One model version behind TensorFlow Serving's REST interface: its status, and its predictions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

from packager.errors import RequestError
from packager.smoketest.diagnosis import refused

STATUS_TIMEOUT = 5.0
"""Seconds within which a server that answers at all tells a version's status."""

_REMARK_LENGTH = 1000


class ConnectionLostError(RequestError):
    """The connection ended before the answer came; perhaps the server did as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionStatus:
    """What a server says about a version: its state, or why it has none to tell."""

    http_status: int
    state: str = ""
    """``LOADING``, ``AVAILABLE``, … as TensorFlow Serving names them; empty where it told none."""
    error: str = ""

    def __str__(self) -> str:
        remark = f": {self.error}" if self.error else ""
        return f"{self.state or f'HTTP {self.http_status}'}{remark}"


class RestModel:
    """Asks one version of a model; proxies of the environment are not for a server on this machine."""

    def __init__(self, url: str, *, model: str, version: int, timeout: float) -> None:
        self.path = f"/v1/models/{quote(model, safe='')}/versions/{version}"
        self.url = f"{url}{self.path}"
        self._version = version
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False

    def status(self) -> VersionStatus | None:
        """Return what the server says about the version, ``None`` where it does not answer."""
        try:
            response = self._session.get(self.url, timeout=STATUS_TIMEOUT)
        except requests.RequestException:
            return None
        document = _document(response)
        entry = _entry(document, self._version) if response.ok else None
        if entry is None:
            return VersionStatus(http_status=response.status_code, error=_remark(response, document))
        return VersionStatus(http_status=response.status_code, state=entry[0], error=entry[1])

    def predict(self, body: bytes) -> Any:
        """Return the JSON document that answers the prediction request ``body``, or raise RequestError."""
        return _answer(self.reply(body))

    def metadata(self) -> Any:
        """Return the JSON document of the version's metadata, or raise RequestError."""
        return _answer(self._ask("GET", f"{self.url}/metadata"))

    def reply(self, body: bytes) -> requests.Response:
        """Return whatever the server replies to a prediction request with ``body``.

        Raises RequestError where nothing comes in time, ConnectionLostError where the connection ends.
        """
        return self._ask("POST", f"{self.url}:predict", body)

    def _ask(self, method: str, url: str, body: bytes | None = None) -> requests.Response:
        try:
            return self._session.request(method, url, data=body, timeout=self._timeout)
        except requests.Timeout as error:
            raise RequestError(
                f"no answer within {self._timeout:g} s", hint="allow more time: --timeout 300"
            ) from error
        except requests.RequestException as error:
            raise ConnectionLostError(f"the connection was lost: {error}") from error


def _answer(response: requests.Response) -> Any:
    document = _document(response)
    if not response.ok:
        raise refused(response.status_code, _remark(response, document))
    if document is None:
        raise RequestError(f"the answer is not JSON: {_remark(response, document)}")
    return document


def _entry(document: Any, version: int) -> tuple[str, str] | None:
    """Return state and error of ``version`` in a GetModelStatusResponse, ``None`` where it tells neither."""
    try:
        entries = {str(entry["version"]): entry for entry in document["model_version_status"]}
        entry = entries[str(version)]
        status = entry.get("status", {})
        return str(entry["state"]), str(status.get("error_message", ""))
    except (AttributeError, KeyError, TypeError):
        return None


def _document(response: requests.Response) -> Any:
    """Parse a response, ``None`` where it is no JSON; bytes that are not UTF-8 survive as surrogates."""
    try:
        return json.loads(response.content.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None


def _remark(response: requests.Response, document: Any) -> str:
    """Return the server's error text, or the start of whatever it said instead."""
    told = document.get("error") if isinstance(document, dict) else None
    text = str(told) if told else response.content[:_REMARK_LENGTH].decode("utf-8", "replace")
    return " ".join(text.split())[:_REMARK_LENGTH] or response.reason
