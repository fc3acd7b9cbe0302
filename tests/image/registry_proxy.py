"""A proxy before the registry, which does something else first."""

from __future__ import annotations

import http.client
import http.server
from collections.abc import Callable, Iterator

Fault = Callable[["Proxy"], bool]
"""Does something instead of handing a request on, and tells whether it did."""


class Proxy(http.server.BaseHTTPRequestHandler):
    """Hands requests on to the registry, unless a fault comes first."""

    protocol_version = "HTTP/1.1"
    target: str
    fault: Fault
    bend: Callable[[str, dict[str, str]], dict[str, str]]

    def do_any(self) -> None:
        self._kept: bytes | None = None
        if type(self).fault(self):
            return
        upstream = http.client.HTTPConnection(self.target, timeout=20)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("transfer-encoding",)}
        upstream.request(self.command, self.path, body=self.body() or None, headers=headers)
        response = upstream.getresponse()
        content = response.read()
        self.send_response(response.status)
        told = {k: v for k, v in response.getheaders() if k.lower() not in ("content-length", "date")}
        for name, value in type(self).bend(self.command, told).items():
            self.send_header(name, value)
        length = response.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(content)
        upstream.close()

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_any

    def body(self) -> bytes:
        return b"".join(self.chunks())

    def chunks(self) -> Iterator[bytes]:
        if self._kept is not None:
            yield self._kept
            return
        if self.headers.get("Transfer-Encoding") != "chunked":
            left = int(self.headers.get("Content-Length", 0))
            while left:
                yield (part := self.rfile.read(min(left, 1 << 20)))
                left -= len(part)
            return
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def keep_body(self) -> bytes:
        """Read the body, to be handed on all the same."""
        self._kept = self.body()
        return self._kept

    def answer(self, status: int, **headers: str) -> None:
        self.body()
        self.send(status, b"", {name.replace("_", "-"): value for name, value in headers.items()})

    def send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""
