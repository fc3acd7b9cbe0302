"""Counts and times REST requests, and shows the page of metrics where its configuration wants it."""

from __future__ import annotations

import time
from collections.abc import Callable

from packager.serving.metrics import Metrics
from packager.serving.rest.api import Answer, Request
from packager.serving.rest.routes import VersionTooBigError, find_route, is_api_path

_TEXT = {"Content-Type": "text/plain"}


def measured(
    respond: Callable[[Request], Answer], metrics: Metrics, page_path: str
) -> Callable[[Request], Answer]:
    """Return ``respond``, its requests noted in ``metrics``, with the page at ``page_path``."""

    def respond_measured(request: Request) -> Answer:
        if request.path == page_path:
            return Answer(200, _TEXT, metrics.page())
        began = time.perf_counter()
        answer = respond(request)
        if is_api_path(request.path) and request.method != "OPTIONS":
            model, verb = _asked(request)
            metrics.note_request(model, verb, "REST", answer.code, time.perf_counter() - began)
        return answer

    return respond_measured


def _asked(request: Request) -> tuple[str, str]:
    """Return the model and the verb of a request, both empty where its path has none."""
    try:
        route = find_route(request.method, request.path)
    except VersionTooBigError:
        route = None
    if route is None:
        return "", ""
    return route.model.name, route.verb if request.method == "POST" else ""
