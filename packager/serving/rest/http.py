"""HTTP/1.1 on asyncio: bounded in connections, bytes and patience.

Answers come from a pool of threads, but for those that take less time than to wake a thread.
"""

from __future__ import annotations

import asyncio
import functools
import math
import socket
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit

import httptools

from packager.serving.rest.api import Answer, Request, html_error
from packager.serving.rest.body import Body
from packager.serving.rest.strings import to_text

MAX_CONNECTIONS = 4096
MAX_HEADER_BYTES = 64 * 1024
MAX_BODY_BYTES = 512 * 1024 * 1024
MAX_BUFFERED_BYTES = 1024 * 1024 * 1024
"""The most bytes that the bodies of all requests may hold at once."""

IDLE_SECONDS = 50.0
"""How long a connection may be silent between requests, as libevent has it."""
HEADER_SECONDS = 30.0
"""How long the headers of a request may take."""
BODY_SECONDS = 30.0
"""How long a body may make no progress."""
WRITE_SECONDS = 60.0
"""How long a client may leave an answer unread."""
LINGER_SECONDS = 5.0
"""How long a client that was refused may go on sending before it must have read why."""
_SWEEP_SECONDS = 1.0

_METHODS = frozenset(("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"))
_REASONS = {
    **{status.value: status.phrase for status in HTTPStatus},
    **{408: "Request Time-out", 413: "Request Entity Too Large", 504: "Gateway Time-out"},
    **dict.fromkeys((429, 431, 499), "Client Error"),
}
"""What libevent calls each status (``http.c``), and so TensorFlow Serving."""

Respond = Callable[[Request], Answer]
Judge = Callable[[Request], bool]


def _never(_: Request) -> bool:
    """Leave every answer to the threads."""
    return False


class HttpServer:
    """Listens on a socket and answers with ``respond``, in threads of its own.

    Requests that ``is_quick`` is true of are answered in the thread of the event loop, where all other
    clients wait until they are.
    """

    def __init__(self, respond: Respond, *, threads: int, is_quick: Judge = _never) -> None:
        self.respond = respond
        self.is_quick = is_quick
        self.loop = asyncio.get_running_loop()
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix="rest")
        self.connections: set[_Connection] = set()
        self.buffered = 0
        """Bytes in the bodies of all requests that are not answered yet."""
        self.draining = False
        self._drained = asyncio.Event()
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self, listening: socket.socket) -> None:
        """Accept connections on a bound socket."""
        self._listener = await self.loop.create_server(
            lambda: _Connection(self), sock=listening, backlog=1024
        )
        self._sweeper = self.loop.create_task(self._sweep())

    async def drain(self, seconds: float) -> None:
        """Accept no more, let requests under way be answered for so long, then drop what is left."""
        self.draining = True
        if self._listener:
            self._listener.close()
        for connection in list(self.connections):
            connection.close_if_idle()
        if self.connections:
            try:
                await asyncio.wait_for(self._drained.wait(), seconds)
            except asyncio.TimeoutError:
                for connection in list(self.connections):
                    connection.abort()

    def forget(self, connection: _Connection) -> None:
        """Note that a connection is gone."""
        self.connections.discard(connection)
        if self.draining and not self.connections:
            self._drained.set()

    async def _sweep(self) -> None:
        """Drop, again and again, the clients that let the server wait for too long."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = time.monotonic()
            for connection in [found for found in self.connections if found.expired(now)]:
                connection.abort()


class _Connection(asyncio.Protocol):
    """One client's connection. Its requests are answered one after the other."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, str]] = deque()
        """Requests that are complete, each with the value of the Connection header of its answer."""
        self._working = False
        self._at_once = False
        """Whether the next request may be answered at once: one of those that came together may."""
        self._paused = False
        self._refusal: Answer | None = None
        """What the client gets, after its answers, for sending what cannot be read."""
        self._full = False
        """Whether the client has to read before it gets more answers."""
        self._closed = False
        self._deadline = math.inf
        """When to give up on the client, by the monotonic clock."""
        self._unsent = 0
        """Bytes of answers that the client had not read when last looked at."""
        self._start_request()

    def _start_request(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._header_bytes = 0
        self._body = Body()
        self._in_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)
        self._expect_within(IDLE_SECONDS)
        if len(self._server.connections) > MAX_CONNECTIONS:
            self._refuse(503)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        self._closed = True
        self._server.buffered -= sum(len(request.body) for request, _ in self._waiting)
        self._waiting.clear()
        self._drop_request()
        self._server.forget(self)
        del self._parser  # which refers back to this: a connection is no cycle that waits to be found

    def data_received(self, data: bytes) -> None:
        if self._closed or self._refusal:
            return
        if self._in_body:
            self._expect_within(BODY_SECONDS)
        elif not self._header_bytes:
            self._expect_within(HEADER_SECONDS)
        self._header_bytes += 0 if self._in_body else len(data)
        self._at_once = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(400)
        if self._header_bytes > MAX_HEADER_BYTES and not self._in_body:
            self._refuse(400)

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        self._in_body = True
        self._header_bytes = 0
        self._expect_within(BODY_SECONDS)
        self._body.expected = int(self._headers.get("content-length", "0"))
        if self._body.expected > MAX_BODY_BYTES:
            self._refuse(413)
        elif self._headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        if self._refusal:
            return
        self._body.add(data)
        self._server.buffered += len(data)
        if self._body.size > MAX_BODY_BYTES:
            self._refuse(413)
        elif self._server.buffered > MAX_BUFFERED_BYTES:
            self._refuse(503)

    def on_message_complete(self) -> None:
        if self._refusal:
            return
        request = Request(
            method=self._parser.get_method().decode("ascii"),
            path=_path(self._target),
            headers=self._headers,
            body=self._body.whole(),
        )
        after = "close"
        if self._parser.should_keep_alive():
            after = "keep-alive" if self._parser.get_http_version() == "1.0" else ""
        self._waiting.append((request, after))
        self._start_request()
        self._go_on()

    def _go_on(self) -> None:
        """Have the next request answered by a thread; where there is none, read on."""
        if self._working or self._closed or self._full:
            return
        if self._waiting:
            self._working = True
            self._deadline = math.inf
            request, after = self._waiting.popleft()
            if self._at_once and self._server.is_quick(request):
                self._at_once = False
                self._send(request, self._respond(request), after)
            else:
                self._pause(True)
                self._server.threads.submit(self._answer, request, after)
        elif self._refusal:
            self._write(self._refusal)
        else:
            self._expect_within(IDLE_SECONDS)
            self._pause(False)

    def _pause(self, paused: bool) -> None:
        """Read no more, or read on."""
        if paused != self._paused:
            self._paused = paused
            if paused:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _answer(self, request: Request, after: str) -> None:
        """Answer a request; runs in a thread of the pool."""
        self._server.loop.call_soon_threadsafe(self._send, request, self._respond(request), after)

    def _respond(self, request: Request) -> Answer:
        known = request.method in _METHODS
        return self._server.respond(request) if known else html_error(501, _REASONS[501])

    def _send(self, request: Request, answer: Answer, after: str) -> None:
        self._working = False
        self._server.buffered -= len(request.body)
        if not self._closed:
            self._write(answer, "close" if self._server.draining else after, request.method != "HEAD")
            self._go_on()

    def _write(self, answer: Answer, after: str = "", with_body: bool = True) -> None:
        after = answer.headers.get("Connection", after)
        head = _head(answer.status, tuple(answer.headers.items()), after, int(time.time()))
        head += b"Content-Length: %d\r\n\r\n" % len(answer.body)
        self._transport.write(head + answer.body if with_body else head)
        if after == "close":
            self._finish()

    def _finish(self) -> None:
        """Send no more. A client that is still sending is heard out, or it might not read the answer."""
        self._closed = True
        if self._refusal and self._transport.can_write_eof():
            self._expect_within(LINGER_SECONDS)
            self._transport.write_eof()
            self._pause(False)
        else:
            self._transport.close()

    def _refuse(self, status: int) -> None:
        """Read no more; send an error once the requests before are answered, and close."""
        if self._refusal is None:
            self._refusal = html_error(status, _REASONS[status])
            self._drop_request()
            self._go_on()

    def _drop_request(self) -> None:
        """Forget the request that is being read."""
        self._server.buffered -= self._body.size
        self._start_request()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._go_on()

    def expired(self, now: float) -> bool:
        """Tell whether the client took too long; as long as it reads its answers it does not."""
        unsent = self._transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent = unsent
            self._expect_within(WRITE_SECONDS)
        return self._deadline < now

    def close_if_idle(self) -> None:
        """Close the connection unless a request on it is being read or answered."""
        if self._closed or not (self._working or self._waiting or self._in_body or self._header_bytes):
            self._transport.close()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._transport.abort()

    def _expect_within(self, seconds: float) -> None:
        if not self._working:
            self._deadline = time.monotonic() + seconds


def _path(target: bytes) -> str:
    """Return path and query of a request's target, which may be a whole URI."""
    text = to_text(target)
    if text.startswith("/"):
        return text
    parts = urlsplit(text)
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


@functools.lru_cache(maxsize=16)
def _head(status: int, headers: tuple[tuple[str, str], ...], after: str, second: int) -> bytes:
    """Return an answer's status line and headers, all but the last."""
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(second))
    fields = {**dict(headers), "Date": date} | ({"Connection": after} if after else {})
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}", *(f"{n}: {v}" for n, v in fields.items()), ""]
    return "\r\n".join(lines).encode("latin-1")
