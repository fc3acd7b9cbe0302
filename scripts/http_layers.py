"""Serves the same small JSON by one HTTP layer or another: ``python http_layers.py NAME PORT``.

Each reads the body of a request, halves every number, adds two, and answers: half_plus_two with no model.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from typing import Any

import orjson


def half_plus_two(body: bytes) -> bytes:
    rows = orjson.loads(body)["instances"]
    return orjson.dumps({"predictions": [[x / 2 + 2 for x in row] for row in rows]})


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer as an ASGI application."""
    if scope["type"] != "http":
        return
    parts, more = [], True
    while more:
        event = await receive()
        parts.append(event.get("body", b""))
        more = event.get("more_body", False)
    body = half_plus_two(b"".join(parts))
    length = str(len(body)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def own(port: int) -> None:
    import uvloop

    from packager.serving.rest.api import JSON, Answer
    from packager.serving.rest.http import HttpServer

    async def serve() -> None:
        server = HttpServer(
            lambda request: Answer(200, JSON, half_plus_two(request.body)), threads=8, is_quick=lambda _: True
        )
        await server.start(socket.create_server(("127.0.0.1", port)))
        await asyncio.Event().wait()

    uvloop.new_event_loop().run_until_complete(serve())


def uvicorn(port: int) -> None:
    import uvicorn

    uvicorn.run(app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="error")


def uvicorn_h11(port: int) -> None:
    import uvicorn

    uvicorn.run(app, port=port, loop="uvloop", http="h11", access_log=False, log_level="error")


def hypercorn(port: int) -> None:
    import uvloop
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    uvloop.new_event_loop().run_until_complete(serve(app, config))


def granian(port: int) -> None:
    from granian import Granian

    Granian("http_layers:app", port=port, interface="asgi", log_enabled=False).serve()


def aiohttp(port: int) -> None:
    import uvloop
    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=half_plus_two(await request.read()), content_type="application/json")

    application = web.Application()
    application.router.add_post("/{path:.*}", answer)
    loop = uvloop.new_event_loop()
    web.run_app(application, host="127.0.0.1", port=port, access_log=None, print=None, loop=loop)


LAYERS: dict[str, Callable[[int], None]] = {
    "own": own,
    "uvicorn": uvicorn,
    "uvicorn-h11": uvicorn_h11,
    "granian": granian,
    "aiohttp": aiohttp,
    "hypercorn": hypercorn,
}

if __name__ == "__main__":
    LAYERS[sys.argv[1]](int(sys.argv[2]))
