"""Which REST request is for what: paths as TensorFlow Serving matches them (``http_rest_api_util.cc``)."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from packager.serving.models.catalog import ModelSpec
from packager.serving.rest.strings import to_bytes, to_text

_MODEL = r"/v1/models"
_WHICH = r"(?:(?:/versions/([0-9]+))|(?:/labels/([^/:]+)))?"
_ASK = re.compile(rf"{_MODEL}/([^/:]+){_WHICH}:(classify|regress|predict)", re.IGNORECASE)
_LOOK = re.compile(rf"{_MODEL}(?:/([^/:]+))?{_WHICH}(?:/(metadata))?", re.IGNORECASE)
_MAX_VERSION = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Route:
    """What a request asks of which model."""

    verb: str
    """``predict``, ``classify``, ``regress``, ``metadata`` or ``status``."""
    model: ModelSpec
    """Its name is empty where the path names none."""


class VersionTooBigError(ValueError):
    """The path asks for a version that no version can be."""


def is_api_path(path: str) -> bool:
    """Tell whether a path belongs to the API; what follows a ``?`` counts as part of it."""
    return path[:4].lower() == "/v1/"


@functools.lru_cache(maxsize=64)
def find_route(method: str, path: str) -> Route | None:
    """Return what a request is for, or ``None``; raise VersionTooBigError."""
    if method == "POST" and (match := _ASK.fullmatch(path)):
        name, version, label, verb = match.groups()
        # The path matches whatever its case, but the verb is then looked up as it is written
        return Route(verb, _spec(name, version, label)) if verb.islower() else None
    if method == "GET" and (match := _LOOK.fullmatch(path)):
        name, version, label, detail = match.groups()
        return Route("metadata" if detail == "metadata" else "status", _spec(name, version, label))
    return None


def _spec(name: str | None, version: str | None, label: str | None) -> ModelSpec:
    if version is not None and int(version[:32]) > _MAX_VERSION:
        raise VersionTooBigError(version)
    return ModelSpec(
        name=_decoded(name or ""),
        version=None if version is None else int(version),
        label=None if label is None else _decoded(label),
    )


def _decoded(part: str) -> str:
    return to_text(unquote_to_bytes(to_bytes(part)))
