from __future__ import annotations

import time

import pytest
from model_server_stand_in import Seen, StandIn, resets, says, stalls, status

from packager.errors import NotReadyError, ServableLoadError, ServerStartError
from packager.smoketest.readiness import UNKNOWN_PATIENCE, wait_until_available
from packager.smoketest.rest import RestModel
from packager.smoketest.server import ServerExit


class Clock:
    """Time that passes by sleeping only; ``at`` runs something when its time comes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.at: dict[float, object] = {}

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for when in [when for when in self.at if when <= self.now]:
            self.at.pop(when)()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def wait(server: Seen, clock: Clock, *, timeout: float = 30, report=lambda event: None) -> RestModel:
    return wait_until_available(
        server, model="m", version=1, timeout=timeout, report=report, clock=clock, sleep=clock.sleep
    )


def test_an_available_version_is_found_at_once(stand_in: StandIn, clock):
    assert isinstance(wait(Seen(url=stand_in.url), clock), RestModel)
    assert stand_in.asked == [("/v1/models/m/versions/1", None)]
    assert clock.now == 0


def test_a_version_may_load_for_a_while(stand_in: StandIn, clock):
    stand_in.statuses = [status("START"), *[status("LOADING")] * 20, status("AVAILABLE")]
    told = []
    wait(Seen(url=stand_in.url), clock, report=lambda event: told.append(event.text))
    assert told == [
        "waiting for version 1 of 'm'; the server says START",
        "waiting for version 1 of 'm'; the server says LOADING",
    ]
    assert clock.now == pytest.approx(2.1)


def test_the_port_may_open_late(stand_in: StandIn, clock):
    server = Seen(log="loading weights")
    clock.at[10] = lambda: setattr(server, "url", stand_in.url)
    told = []
    wait(server, clock, report=lambda event: told.append(event.text))
    assert told == ["waiting for its REST port to open; the server's last words: loading weights"]


def test_resets_before_the_server_listens_are_waited_out(stand_in: StandIn, clock):
    stand_in.statuses = [resets, resets, resets, status("AVAILABLE")]
    wait(Seen(url=stand_in.url), clock)
    assert clock.now == pytest.approx(0.3)


def test_garbage_is_no_status(stand_in: StandIn, clock):
    stand_in.statuses = [
        says(b"<html>"),
        says([]),
        says({"model_version_status": [7]}),
        status("AVAILABLE", version=2),
        says(b"[" * 100_000),
        status("AVAILABLE"),
    ]
    wait(Seen(url=stand_in.url), clock)
    assert clock.now == pytest.approx(0.5)


@pytest.mark.parametrize("state", ["END", "LOADING", "START"])
def test_a_version_with_an_error_fails_at_once_with_the_server_s_reason(stand_in: StandIn, clock, state):
    stand_in.statuses = [status(state, error="NOT_FOUND: variables are missing")]
    with pytest.raises(
        ServableLoadError, match=f"version 1 of 'm': {state}: NOT_FOUND: variables are missing"
    ):
        wait(Seen(url=stand_in.url), clock)
    assert clock.now == 0


def test_a_version_that_ended_without_a_reason_fails_at_once(stand_in: StandIn, clock):
    stand_in.statuses = [status("END")]
    with pytest.raises(ServableLoadError, match="END"):
        wait(Seen(url=stand_in.url), clock)


def test_never_ending_warnings_end_the_wait(clock):
    server = Seen(log="starting")
    line = "W] No versions of servable m found under base path /models/m. Did you forget …\n"
    clock.at[3] = lambda: setattr(server, "log", line * 3)
    with pytest.raises(ServableLoadError, match="No versions of servable m"):
        wait(server, clock)
    assert clock.now == pytest.approx(3, abs=0.2)


def test_a_server_that_ends_ends_the_wait(clock):
    server = Seen(log="loading")
    clock.at[3] = lambda: setattr(server, "end", ServerExit(exit_code=9))
    with pytest.raises(ServerStartError, match="ended before it was ready: exit code 9"):
        wait(server, clock)


def test_a_server_that_does_not_know_the_version_is_given_up_early(stand_in: StandIn, clock):
    stand_in.statuses = [says({"error": "Could not find any versions of model m"}, code=404)]
    with pytest.raises(
        NotReadyError, match="version 1 of 'm': HTTP 404: Could not find any versions of model m"
    ):
        wait(Seen(url=stand_in.url), clock)
    assert clock.now == pytest.approx(UNKNOWN_PATIENCE, abs=0.2)


def test_a_server_may_come_to_know_the_version(stand_in: StandIn, clock):
    unknown = says({"error": "Could not find any versions of model m"}, code=404)
    stand_in.statuses = [*[unknown] * 40, status("LOADING"), *[unknown] * 40, status("AVAILABLE")]
    wait(Seen(url=stand_in.url), clock)


def test_a_server_that_says_nothing_is_given_up_in_time(clock):
    with pytest.raises(
        NotReadyError, match=r"^not ready after 30 s: still waiting for its REST port to open$"
    ):
        wait(Seen(), clock)
    assert clock.now == pytest.approx(30, abs=0.2)


def test_giving_up_tells_what_the_server_said_last(stand_in: StandIn, clock):
    stand_in.statuses = [status("LOADING")]
    with pytest.raises(NotReadyError, match="version 1 of 'm'; the server says LOADING") as caught:
        wait(Seen(url=stand_in.url), clock)
    assert caught.value.hint == "allow more time: --timeout 60"


def test_a_server_that_accepts_and_never_answers_is_given_up(stand_in: StandIn, clock, monkeypatch):
    monkeypatch.setattr("packager.smoketest.rest.STATUS_TIMEOUT", 0.1)
    stand_in.statuses = [stalls(0.5)]
    began = time.monotonic()
    with pytest.raises(NotReadyError, match="still waiting for an answer at its REST port"):
        wait(Seen(url=stand_in.url), clock, timeout=0.3)
    assert time.monotonic() - began < 5
