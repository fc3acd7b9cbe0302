"""Paths: what they are for, and which are for nothing."""

from __future__ import annotations

import pytest

from packager.serving.models.catalog import ModelSpec
from packager.serving.rest.routes import Route, VersionTooBigError, find_route, is_api_path


def route(verb: str, name: str, version: int | None = None, label: str | None = None) -> Route:
    return Route(verb, ModelSpec(name=name, version=version, label=label))


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("POST", "/v1/models/m:predict", route("predict", "m")),
        ("POST", "/V1/MODELS/m:predict", route("predict", "m")),
        ("POST", "/v1/models/m/versions/007:classify", route("classify", "m", version=7)),
        ("POST", "/v1/models/m/labels/a%20b:regress", route("regress", "m", label="a b")),
        ("GET", "/v1/models/m", route("status", "m")),
        ("GET", "/v1/models", route("status", "")),
        ("GET", "/v1/models/a%2Fb%3Ac", route("status", "a/b:c")),
        ("GET", "/v1/models/m?x=1", route("status", "m?x=1")),
        ("GET", "/v1/models/100%", route("status", "100%")),
        ("GET", "/v1/models/m/versions/1/metadata", route("metadata", "m", version=1)),
        ("GET", "/v1/models/m/labels/x/metadata", route("metadata", "m", label="x")),
        ("GET", "/v1/models/m/METADATA", route("status", "m")),
        ("POST", "/v1/models/m:PREDICT", None),
        ("POST", "/v1/models/m:predict?x=1", None),
        ("POST", "/v1/models/m", None),
        ("POST", "/v1/models/m/versions/x:predict", None),
        ("GET", "/v1/models/m:predict", None),
        ("GET", "/v1/models/m/versions/1/labels/x", None),
        ("PUT", "/v1/models/m", None),
    ],
)
def test_routes(method: str, path: str, found: Route | None) -> None:
    assert find_route(method, path) == found


@pytest.mark.parametrize("version", [str(2**63), "9" * 400])
def test_a_version_beyond_int64_is_told_apart(version: str) -> None:
    with pytest.raises(VersionTooBigError):
        find_route("GET", f"/v1/models/m/versions/{version}")


@pytest.mark.parametrize(
    ("path", "is_api"), [("/v1/x", True), ("/V1/", True), ("/v1", False), ("/", False), ("/v2/models", False)]
)
def test_the_api_is_under_v1(path: str, is_api: bool) -> None:
    assert is_api_path(path) is is_api
