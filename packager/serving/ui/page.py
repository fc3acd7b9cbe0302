"""Serves the page and its parts; what it shows it fetches from the REST API, as any client would."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from packager.serving.models.catalog import Catalog
from packager.serving.rest.api import Answer, Request

_PARTS = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/ui/page.css": ("page.css", "text/css; charset=utf-8"),
    "/ui/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; img-src data:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
_MODELS = "/ui/models.json"
"""The one thing that the REST API does not tell: which models there are."""


def with_page(respond: Callable[[Request], Answer], catalog: Catalog) -> Callable[[Request], Answer]:
    """Return ``respond`` with the page added."""
    folder = Path(__file__).parent
    parts = {path: ((folder / name).read_bytes(), kind) for path, (name, kind) in _PARTS.items()}

    def respond_with_page(request: Request) -> Answer:
        path = request.path.partition("?")[0]
        if request.method not in ("GET", "HEAD") or path not in (*parts, _MODELS):
            return respond(request)
        if path == _MODELS:
            names = json.dumps({"models": catalog.names()})
            return Answer(200, {**_HEADERS, "Content-Type": "application/json"}, names.encode())
        content, kind = parts[path]
        return Answer(200, {**_HEADERS, "Content-Type": kind}, content)

    return respond_with_page
