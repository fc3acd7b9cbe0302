"""REST requests that make little sense, and what became of them."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embedded_server import EmbeddedServer

PATIENCE = 60.0
_STATUSES = frozenset((200, 400, 404, 405, 411, 413, 429, 499, 500, 501, 503, 504))
_PIECES = (
    *(b'{"instances":', b'{"inputs":', b'"b64"', b'"signature_name"', b"[", b"]", b"{", b"}", b",", b":"),
    *(b'"x"', b"1e400", b"-0", b"NaN", b"-Infinity", b"\xef\xbb\xbf", b"\xff", b"\xed\xa0\x80", b'"\\ud800"'),
    *(b"1.0", b"9223372036854775808", b"null", b"true", b'"', b"\\", b"\x00", b" ", b"1" * 400, b"[" * 3000),
)
_VALID = (
    ("affine", b'{"instances": [[1.0], [2.0]]}'),
    ("affine", b'{"signature_name": "classify", "examples": [{"x": 1.0}]}'),
    ("echo_string", b'{"inputs": ["a", {"b64": "AAE="}]}'),
    ("echo_int64", b'{"instances": [1, -2, 3]}'),
    ("echo_float32", b'{"instances": [[1, 2.5], [3e-3, 4]]}'),
    ("pair", b'{"instances": [{"number": 1, "text": "a"}]}'),
    ("shapes", b'{"signature_name": "scalar", "inputs": 1}'),
    ("matrix", b'{"inputs": [[1, 2], [3, 4]]}'),
)


class RestCalls:
    """One client. Each method sends one request and returns what became of it."""

    def __init__(self, server: EmbeddedServer, random: Random) -> None:
        self._server = server
        self._random = random
        self._connection: http.client.HTTPConnection | None = None

    def structured(self) -> str:
        """Send a proper request with an odd path or body."""
        random = self._random
        model, body = random.choice(_VALID)
        headers = {}
        if random.random() < 0.7:
            body = random.choice((self._mutated, self._mutated, self._made_up, self._generated))(body)
        if random.random() < 0.05:
            body = gzip.compress(body)[: random.choice((5, 20, None))]
            headers["Content-Encoding"] = "gzip"
        return self._ask(random.choice((*("POST",) * 10, "GET", "PUT")), self._path(model), body, headers)

    def raw(self) -> str:
        """Send bytes that resemble a request."""
        random = self._random
        model, body = random.choice(_VALID)
        head = b"POST /v1/models/%s:predict HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % (
            model.encode(),
            self._length_header(len(body)),
        )
        data = head + body
        if random.random() < 0.8:
            data = self._mutated(data)
        with socket.create_connection(("127.0.0.1", self._server.rest_port), timeout=PATIENCE) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            answer = b""
            try:
                while part := client.recv(65536):
                    answer += part
            except ConnectionResetError:
                return "reset"
        if not answer:
            return "dropped"
        if not answer.startswith(b"HTTP/1.1 ") or int(answer[9:12]) not in _STATUSES | {100}:
            raise AssertionError(f"no answer of HTTP: {answer[:80]!r} to {data[:200]!r}")
        return answer[9:12].decode()

    def check_own_answer(self) -> None:
        """Ask what nobody else asks."""
        numbers = [self._random.randrange(2**40) for _ in range(3)]
        connection = http.client.HTTPConnection("127.0.0.1", self._server.rest_port, timeout=PATIENCE)
        try:
            connection.request("POST", "/v1/models/echo_int64:predict", json.dumps({"instances": numbers}))
            answer = connection.getresponse()
            if (answer.status, json.loads(answer.read())) != (200, {"predictions": numbers}):
                raise AssertionError(f"another answer than that to {numbers}")
        finally:
            connection.close()

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> str:
        """Ask on a connection that stays open, which the server may close between two requests."""
        for _ in range(3):
            connection = self._connection or http.client.HTTPConnection(
                "127.0.0.1", self._server.rest_port, timeout=PATIENCE
            )
            self._connection = None
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                connection.close()
                continue
            content = answer.read()
            self._check(answer.status, content)
            if answer.getheader("Connection") != "close":
                self._connection = connection
            return str(answer.status)
        return "dropped"

    def _check(self, status: int, content: bytes) -> None:
        if status not in _STATUSES:
            raise AssertionError(f"status {status}")
        if status != 200 and content and not content.startswith((b'{\n    "error": "', b"<HTML>")):
            raise AssertionError(f"an error of another form: {content[:200]!r}")

    def _path(self, model: str) -> str:
        random = self._random
        if random.random() < 0.5:
            return f"/v1/models/{model}:predict"
        version = random.choice(
            ("", "", "", "/versions/1", "/versions/99999999999999999999", "/labels/x", "/")
        )
        verb = random.choice(
            (":predict",) * 5 + (":classify", ":regress", "/metadata", "", ":explode", ":PREDICT")
        )
        name = random.choice((model,) * 30 + ("absent", "%00", "%FF%FE", "a" * 2000, "..%2f..", "%"))
        return f"/v1/models/{name}{version}{verb}"

    def _length_header(self, length: int) -> bytes:
        return self._random.choice(
            (
                b"Content-Length: %d" % length,
                b"Content-Length: %d" % length,
                b"Content-Length: %d" % (length // 2),
                b"Content-Length: %d" % (length + 10),
                b"Content-Length: -1",
                b"Content-Length: 99999999999999999999",
                b"Transfer-Encoding: chunked",
                b"Content-Length: %d\r\nTransfer-Encoding: chunked" % length,
                b"Expect: 100-continue\r\nContent-Length: %d" % length,
            )
        )

    def _mutated(self, data: bytes) -> bytes:
        """Change a few bytes, or a few pieces."""
        changed = bytearray(data)
        for _ in range(self._random.choice((1, 1, 2, 6))):
            at = self._random.randrange(len(changed) + 1)
            action = self._random.randrange(4)
            if action == 0:
                changed[at:at] = self._random.choice(_PIECES)
            elif action == 1:
                del changed[at : at + self._random.randint(1, 8)]
            elif action == 2:
                changed[at : at + 1] = bytes((self._random.randrange(256),))
            else:
                changed[at:at] = changed[: self._random.randrange(20)]
        return bytes(changed)

    def _made_up(self, data: bytes) -> bytes:
        return b"".join(self._random.choices(_PIECES, k=self._random.randint(0, 30)))

    def _generated(self, data: bytes) -> bytes:
        """Make JSON that is well formed and asks for something odd."""
        key = self._random.choice(("instances", "inputs", "examples", "context", "x"))
        document = {key: self._value(4), self._random.choice(("signature_name", "x", key)): self._value(1)}
        return json.dumps(document).encode("utf-8", "surrogatepass")

    def _value(self, depth: int) -> Any:
        random = self._random
        leaves: tuple[Callable[[], Any], ...] = (
            lambda: random.choice(
                (0, -1, 2**31, 2**63, 2**64, -(2**70), 1.5, 1e308, float("nan"), float("-inf"))
            ),
            lambda: random.choice(
                ("", "a", "\ud800", "\x00", "serving_default", "classify", "AAE=", "=" * 9)
            ),
            lambda: random.choice((None, True, False)),
        )
        if depth == 0 or random.random() < 0.3:
            return random.choice(leaves)()
        if random.random() < 0.7:
            return [self._value(depth - 1) for _ in range(random.randrange(4))]
        names = random.sample(("x", "b64", "number", "text", "y", ""), random.randrange(4))
        return {name: self._value(depth - 1) for name in names}
