"""HTTP under the REST API: whole requests are answered, the rest is refused or dropped, nobody waits long."""

from __future__ import annotations

import asyncio
import http.client
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packager.serving.rest import http as server_module
from packager.serving.rest.api import Answer, Request
from packager.serving.rest.http import HttpServer
from packager.serving.sockets import bind

SILENCE = 0.3
"""Seconds without a byte after which a server has nothing more to say."""

GET = b"GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n"


def echo(request: Request) -> Answer:
    """Answer with the request; ``/slow`` takes a while, ``/big`` is more than a socket holds."""
    if request.path.startswith("/slow"):
        time.sleep(0.1)
    if request.path == "/big":
        return Answer(200, {}, b"x" * 20_000_000)
    if is_quick(request):
        return Answer(200, {}, f"{request.path} in {threading.current_thread().name}".encode())
    text = f"{request.method} {request.path} ".encode() + request.body
    return Answer(200, {"Content-Type": "text/plain"}, text)


def is_quick(request: Request) -> bool:
    return request.path.startswith("/now")


class Running:
    """An HTTP server on a loopback port, in a thread of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        bound = bind("127.0.0.1", 0)
        self.port = bound.getsockname()[1]
        self.loop = loop
        self.server = asyncio.run_coroutine_threadsafe(self._start(bound), self._run()).result(10)

    def _run(self) -> asyncio.AbstractEventLoop:
        threading.Thread(target=self.loop.run_forever, name="loop", daemon=True).start()
        return self.loop

    async def _start(self, bound: socket.socket) -> HttpServer:
        server = HttpServer(echo, threads=4, is_quick=is_quick)
        await server.start(bound)
        return server

    def drain(self, seconds: float = 5) -> None:
        asyncio.run_coroutine_threadsafe(self.server.drain(seconds), self.loop).result(20)

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client


@pytest.fixture
def running() -> Iterator[Running]:
    running = Running(uvloop.new_event_loop())
    yield running
    running.drain(0)


def exchange(running: Running, *parts: bytes, pause: float = 0.0, silence: float = SILENCE) -> bytes:
    """Send the parts and return all that comes until the server closes or falls silent."""
    with running.connect() as client:
        for part in parts:
            client.sendall(part)
            time.sleep(pause)
        client.settimeout(silence)
        return receive_all(client)


def receive_all(client: socket.socket) -> bytes:
    received = b""
    with suppress(TimeoutError, ConnectionResetError):
        while part := client.recv(1 << 20):
            received += part
    return received


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def test_it_runs_on_plain_asyncio_too() -> None:
    running = Running(asyncio.new_event_loop())
    assert exchange(running, GET).startswith(b"HTTP/1.1 200 OK")
    assert exchange(running, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 Bad Request")
    running.drain()


def test_requests_on_one_connection_are_answered_in_turn(running: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    for number in range(3):
        connection.request("POST", f"/v1/{number}", body=b"body")
        answer = connection.getresponse()
        assert answer.read() == f"POST /v1/{number} body".encode()
        assert answer.headers["Content-Type"] == "text/plain"
        assert answer.headers["Date"].endswith(" GMT")
        assert "Connection" not in answer.headers


def test_pipelined_requests_keep_their_order(running: Running) -> None:
    answers = exchange(running, b"".join(GET.replace(b"/v1/x", b"/slow%d" % n) for n in range(3)))
    assert answers.index(b"/slow0") < answers.index(b"/slow1") < answers.index(b"/slow2")


@pytest.mark.parametrize("size", [1, 7])
def test_requests_may_come_in_pieces(running: Running, size: int) -> None:
    request = b"POST /v1/x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
    pieces = [request[at : at + size] for at in range(0, len(request), size)]
    assert exchange(running, *pieces, pause=0.001).endswith(b"POST /v1/x hello")


def test_chunked_bodies_are_read(running: Running) -> None:
    chunks = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    request = b"POST /v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    assert exchange(running, request).endswith(b"POST /v1/x hello world")


def test_a_client_may_ask_before_it_sends(running: Running) -> None:
    with running.connect() as client:
        client.sendall(b"POST /v1/x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"ok")
        assert client.recv(1000).endswith(b"POST /v1/x ok")


@pytest.mark.parametrize(
    ("version", "header", "connection"),
    [
        (b"1.1", b"", None),
        (b"1.1", b"Connection: close\r\n", b"close"),
        (b"1.0", b"", b"close"),
        (b"1.0", b"Connection: keep-alive\r\n", b"keep-alive"),
    ],
)
def test_connections_stay_open_as_asked(
    running: Running, version: bytes, header: bytes, connection: bytes | None
) -> None:
    answer = exchange(running, b"GET /v1/x HTTP/" + version + b"\r\n" + header + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (b"Connection: " + connection if connection else b"GET") in answer
    assert (b"Connection" in answer) is (connection is not None)


def test_head_has_no_body(running: Running) -> None:
    head, _, body = exchange(running, GET.replace(b"GET", b"HEAD")).partition(b"\r\n\r\n")
    assert b"Content-Length: 11" in head
    assert body == b""


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /v1/x HTTP/9.9\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /v1/x HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /v1/x HTTP/1.1\r\nA: \x00\r\n\r\n", 400),
        (b"POST /v1/x HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /v1/x HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", 400),
        (b"POST /v1/x HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400),
        (b"POST /v1/x HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /v1/x HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n", 413),
        (b"GET /v1/x HTTP/1.1\r\nX: " + b"x" * 100_000, 400),
        (b"TRACE /v1/x HTTP/1.1\r\n\r\n", 501),
        (b"GET http://[ HTTP/1.1\r\n\r\n", 400),
    ],
)
def test_what_cannot_be_read_is_refused_and_the_connection_closed(
    running: Running, request_: bytes, status: int
) -> None:
    answer = exchange(running, request_)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\nConnection: close\r\n" in answer
    assert b"<TITLE>%d " % status in answer
    assert exchange(running, GET).startswith(b"HTTP/1.1 200")


def test_answers_before_a_broken_request_are_not_lost(running: Running) -> None:
    answers = exchange(running, GET.replace(b"/v1/x", b"/slow"), b"nonsense\r\n\r\n", pause=0.05)
    assert b"GET /slow" in answers
    assert answers.index(b"HTTP/1.1 200") < answers.index(b"HTTP/1.1 400")


def test_a_body_that_grows_too_large_is_refused(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_BODY_BYTES", 1000)
    chunk = b"100\r\n" + b"x" * 256 + b"\r\n"
    answer = exchange(running, b"POST /v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 5)
    assert answer.startswith(b"HTTP/1.1 413 Request Entity Too Large\r\n")


def test_a_client_that_is_refused_may_finish_sending(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "MAX_BODY_BYTES", 1000)
    with running.connect() as client:
        client.sendall(b"POST /v1/x HTTP/1.1\r\nContent-Length: 8000000\r\n\r\n")
        client.sendall(b"x" * 8_000_000)
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_is_refused_and_goes_on_is_dropped(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "LINGER_SECONDS", 0.1)
    with running.connect() as client:
        client.sendall(b"nonsense\r\n\r\n")
        eventually(lambda: len(running.server.connections) == 1)
        eventually(lambda: not running.server.connections)


def test_answers_that_nobody_reads_are_not_piled_up(running: Running) -> None:
    with running.connect() as client:
        client.sendall(GET.replace(b"/v1/x", b"/big") * 50)
        time.sleep(1)
        [connection] = running.server.connections
        assert connection._transport.get_write_buffer_size() <= 21_000_000
        received = 0
        while received < 50 * 20_000_000:
            received += len(client.recv(1 << 22))


def test_all_bodies_together_are_bounded(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_BUFFERED_BYTES", 1000)
    start = b"POST /v1/x HTTP/1.1\r\nContent-Length: 800\r\n\r\n"
    with running.connect() as first:
        first.sendall(start + b"x" * 700)
        eventually(lambda: running.server.buffered == 700)
        assert exchange(running, start + b"x" * 700).startswith(b"HTTP/1.1 503 ")
        first.sendall(b"x" * 100)
        assert first.recv(100).startswith(b"HTTP/1.1 200")
    eventually(lambda: running.server.buffered == 0)


def test_connections_are_bounded(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 3)
    clients = [running.connect() for _ in range(3)]
    eventually(lambda: len(running.server.connections) == 3)
    assert exchange(running).startswith(b"HTTP/1.1 503 ")
    clients.pop().close()
    eventually(lambda: len(running.server.connections) == 2)
    assert exchange(running, GET).startswith(b"HTTP/1.1 200")
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    ("limit", "start"),
    [
        ("IDLE_SECONDS", b""),
        ("HEADER_SECONDS", b"GET /v1/x HTTP/1.1\r\n"),
        ("BODY_SECONDS", b"POST /v1/x HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"),
    ],
)
def test_clients_that_stop_are_dropped(
    running: Running, monkeypatch: pytest.MonkeyPatch, limit: str, start: bytes
) -> None:
    monkeypatch.setattr(server_module, limit, 0.1)
    with running.connect() as client:
        client.sendall(start)
        client.settimeout(5)
        assert receive_all(client) == b""
    eventually(lambda: not running.server.connections)


def test_a_header_that_trickles_in_is_dropped(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "HEADER_SECONDS", 0.5)
    with running.connect() as client, pytest.raises(OSError, match=r"reset|pipe"):
        client.sendall(b"GET /v1/x HTTP/1.1\r\n")
        for _ in range(100):
            client.sendall(b"A: b\r\n")
            time.sleep(0.05)


def test_an_answer_that_is_not_read_is_dropped(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(server_module, "WRITE_SECONDS", 0.1)
    with running.connect() as client:
        client.sendall(GET.replace(b"/v1/x", b"/big"))
        eventually(lambda: len(running.server.connections) == 1)
        eventually(lambda: not running.server.connections)


def test_a_slow_reader_gets_all_of_its_answer(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "WRITE_SECONDS", 3.0)
    received = 0
    with running.connect() as client:
        client.sendall(GET.replace(b"/v1/x", b"/big"))
        while received < 20_000_000:
            received += len(client.recv(1 << 20))
            time.sleep(0.02)


def test_a_client_that_leaves_costs_nothing(running: Running) -> None:
    for _ in range(20):
        with running.connect() as client:
            client.sendall(GET.replace(b"/v1/x", b"/slow"))
    eventually(lambda: exchange(running, GET).startswith(b"HTTP/1.1 200"))
    eventually(lambda: not running.server.connections)
    assert running.server.buffered == 0


def test_draining_answers_what_is_under_way_and_closes_the_rest(running: Running) -> None:
    idle, busy = running.connect(), running.connect()
    busy.sendall(GET.replace(b"/v1/x", b"/slow"))
    eventually(lambda: len(running.server.connections) == 2)
    time.sleep(0.05)
    running.drain()
    assert receive_all(idle) == b""
    answer = receive_all(busy)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" in answer
    with pytest.raises(ConnectionRefusedError):
        running.connect()


def test_draining_ends_in_time(running: Running) -> None:
    client = running.connect()
    client.sendall(b"POST /v1/x HTTP/1.1\r\nContent-Length: 5\r\n\r\n")
    eventually(lambda: len(running.server.connections) == 1)
    time.sleep(0.05)
    started = time.monotonic()
    running.drain(0.2)
    assert time.monotonic() - started < 2
    assert receive_all(client) == b""


def test_many_clients_get_their_own_answers(running: Running) -> None:
    def ask(number: int) -> bytes:
        return exchange(running, b"GET /v1/%d HTTP/1.1\r\nConnection: close\r\n\r\n" % number, silence=10)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(200)))
    assert all(answer.endswith(b"GET /v1/%d " % number) for number, answer in enumerate(answers))


scraps = st.binary(min_size=1, max_size=60) | st.sampled_from([GET, b"\r\n\r\n", b"GET / HTTP/1.1\r\n"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(scraps, max_size=4))
def test_no_bytes_break_the_server(running: Running, parts: list[bytes]) -> None:
    with running.connect() as client, suppress(OSError):
        for part in parts:
            client.sendall(part)
    with running.connect() as client:
        client.sendall(GET)
        assert client.recv(100).startswith(b"HTTP/1.1 200")


def test_a_quick_answer_is_given_at_once(running: Running) -> None:
    for _ in range(3):
        assert exchange(running, b"GET /now HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n/now in loop")


def test_quick_answers_keep_their_place(running: Running) -> None:
    """One client's many requests are no reason to let all others wait: one of them is answered at once."""
    paths = ["/now/1", "/slow/2", "/now/3", "/4", "/now/5", "/now/6"]
    sent = b"".join(f"GET {path} HTTP/1.1\r\n\r\n".encode() for path in paths)
    answers = [
        part.partition(b"\r\n\r\n")[2].decode() for part in exchange(running, sent).split(b"HTTP/1.1 ")[1:]
    ]
    assert answers[0] == "/now/1 in loop"
    assert [re.search(r"/[\w/]+", answer)[0] for answer in answers] == paths
    assert [answer for answer in answers if "in loop" in answer] == answers[:1]
