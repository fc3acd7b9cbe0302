"""Clients that send what they should not: the server answers or drops them, and goes on."""

from __future__ import annotations

import json
import random
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from embedded_server import EmbeddedServer

pytestmark = pytest.mark.tensorflow

SCRAPS = (
    *("{", "}", "[", "]", ",", ":", '"', "\\", "instances", "inputs", "signature_name", "b64", "NaN", "-Inf"),
    *("1", "-0", "1e400", "1.", "9" * 25, "true", "null", "\\ud800", "\\u0000", "\x00", "é", "\ufeff", " "),
    *('{"instances": [', '"x": ', "[[[[", "]]]]", "0.1", "1e-400"),
)


def still_right(server: EmbeddedServer) -> bool:
    answer = server.predict("affine", '{"instances": [1.0]}')
    return answer.status == 200 and json.loads(answer.body) == {"predictions": [3.5]}


def test_scraps_of_json_are_answered(server: EmbeddedServer) -> None:
    chance = random.Random(7)
    models, verbs = ("affine", "pair", "echo_string"), ("predict", "classify")
    for _ in range(400):
        body = "".join(chance.choice(SCRAPS) for _ in range(chance.randrange(1, 12)))
        answer = server.ask(f"/v1/models/{chance.choice(models)}:{chance.choice(verbs)}", body)
        assert answer.status in (200, 400), (body, answer)
        json.loads(answer.body.decode("utf-8", "replace"))
    assert still_right(server)


def test_bytes_that_are_not_text_are_answered(server: EmbeddedServer) -> None:
    chance = random.Random(7)
    for _ in range(200):
        body = chance.randbytes(chance.randrange(1, 40))
        assert server.predict("affine", body).status == 400
        echoed = server.predict("echo_string", b'{"inputs": "' + bytes(b for b in body if b > 92) + b'"}')
        assert echoed.status == 200
        assert bytes(b for b in body if b > 92) in echoed.body
    assert still_right(server)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/%00:predict",
        "/v1/models/%ff%fe:predict",
        "/v1/models/" + "x" * 60_000,
        "/v1/models/..%2f..:predict",
    ],
)
def test_odd_names_are_just_not_there(server: EmbeddedServer, path: str) -> None:
    answer = server.ask(path, '{"instances": [1]}' if path.endswith("predict") else None)
    assert answer.status == 404
    assert still_right(server)


def test_requests_cut_short_are_dropped(server: EmbeddedServer) -> None:
    body = b'{"instances": [1.0]}'
    request = b"POST /v1/models/affine:predict HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    for end in range(1, len(request)):
        with server.connect() as client:
            client.sendall(request[:end])
    assert still_right(server)


def test_a_client_that_hangs_up_does_not_get_another_ones_answer(server: EmbeddedServer) -> None:
    def ask(number: int) -> float:
        if number % 3 == 0:
            with server.connect() as client:
                client.sendall(b"POST /v1/models/affine:predict HTTP/1.1\r\nContent-Length: 16\r\n\r\n")
                client.sendall(b'{"inputs": 1000}')
            return 500.0 + 3
        return float(json.loads(server.predict("affine", f'{{"inputs": {number}}}').body)["outputs"])

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(300)))
    assert all(answer == number / 2 + 3 for number, answer in enumerate(answers) if number % 3)
    assert still_right(server)


def test_many_silent_connections_do_not_keep_others_out(server: EmbeddedServer) -> None:
    silent: list[socket.socket] = [server.connect() for _ in range(300)]
    try:
        assert still_right(server)
    finally:
        for client in silent:
            client.close()
    assert still_right(server)


def test_large_batches_come_back_whole(server: EmbeddedServer) -> None:
    chance = random.Random(7)
    rows = [[chance.random() for _ in range(100)] for _ in range(500)]
    answer = server.predict("echo_float64", json.dumps({"instances": rows}))
    assert answer.status == 200
    predictions = json.loads(answer.body)["predictions"]
    assert all(
        abs(got - sent) < 1e-15
        for got_row, sent_row in zip(predictions, rows, strict=True)
        for got, sent in zip(got_row, sent_row, strict=True)
    )
