from __future__ import annotations

import pytest
from model_server_stand_in import StandIn, resets, says, stalls

from packager.errors import RequestError
from packager.smoketest.rest import RestModel


def model(url: str, *, timeout: float = 10) -> RestModel:
    return RestModel(url, model="digits", version=3, timeout=timeout)


def test_the_version_is_asked_by_its_number(stand_in: StandIn):
    stand_in.answers = [says({"predictions": [1.0]})]
    assert model(stand_in.url).predict(b'{"instances": [1]}') == {"predictions": [1.0]}
    assert stand_in.asked == [("/v1/models/digits/versions/3:predict", {"instances": [1]})]


def test_a_refusal_tells_the_server_s_own_text(stand_in: StandIn):
    stand_in.answers = [says({"error": "JSON object: does not have named input: x"}, code=400)]
    with pytest.raises(RequestError, match=r"^HTTP 400: JSON object: does not have named input: x$"):
        model(stand_in.url).predict(b"{}")


def test_a_refusal_without_json_is_told_as_it_came(stand_in: StandIn):
    stand_in.answers = [says(b"<h1>Bad\n\nGateway</h1>" + b"x" * 10_000, code=502)]
    with pytest.raises(RequestError, match=r"^HTTP 502: <h1>Bad Gateway</h1>x") as caught:
        model(stand_in.url).predict(b"{}")
    assert len(caught.value.message) < 1100


def test_an_answer_that_is_not_json_is_refused(stand_in: StandIn):
    stand_in.answers = [says(b'{"predictions": [1.0,')]
    with pytest.raises(RequestError, match="the answer is not JSON"):
        model(stand_in.url).predict(b"{}")


def test_a_reset_is_told_as_a_lost_connection(stand_in: StandIn):
    stand_in.answers = [resets]
    with pytest.raises(RequestError, match="the connection was lost"):
        model(stand_in.url).predict(b"{}")


def test_a_request_ends_in_time(stand_in: StandIn):
    stand_in.answers = [stalls(1)]
    with pytest.raises(RequestError, match=r"no answer within 0\.2 s"):
        model(stand_in.url, timeout=0.2).predict(b"{}")


def test_nan_and_infinity_are_read(stand_in: StandIn):
    stand_in.answers = [says(b'{"predictions": [NaN, Infinity, -Infinity]}')]
    answer = model(stand_in.url).predict(b"{}")["predictions"]
    assert answer[0] != answer[0]
    assert answer[1:] == [float("inf"), float("-inf")]


def test_proxies_of_the_environment_are_not_used(stand_in: StandIn, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert model(stand_in.url).status() is not None
