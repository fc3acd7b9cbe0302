"""Load on a server of which is known how it answers."""

from __future__ import annotations

import numpy as np
import pytest
from model_server_stand_in import StandIn, resets, says

from packager.contract import Sample
from packager.errors import SmokeError, UsageError
from packager.smoketest import over_rest, put_load, sample_of
from packager.smoketest.load import Tally
from packager.values import Load

OK = says({"predictions": []})


X = Sample(signature="s", inputs={"x": np.ones((1, 1), np.float32)}, outputs={})


def loaded(stand_in: StandIn, load: Load) -> Tally:
    with over_rest(f"{stand_in.url}/m:predict", X, connections=load.concurrency, timeout=5) as send:
        return put_load(send, load)


def slow(seconds: float):
    from time import sleep

    def reply(handler):
        sleep(seconds)
        OK(handler)

    return reply


def test_a_closed_loop_asks_again_once_it_is_answered(stand_in: StandIn):
    stand_in.answers = [slow(0.05)]
    tally = loaded(stand_in, Load(seconds=0.5, concurrency=2))
    assert 12 <= len(tally.latencies_ms) <= 20
    assert min(tally.latencies_ms) >= 50
    assert 0.5 <= tally.seconds < 1
    assert not tally.errors


def test_an_open_loop_asks_at_its_rate(stand_in: StandIn):
    stand_in.answers = [OK]
    tally = loaded(stand_in, Load(seconds=0.5, rate=40))
    assert len(tally.latencies_ms) == 20


def test_a_server_that_stalls_cannot_hide_it_in_an_open_loop(stand_in: StandIn):
    """One client, and ten requests that are due while the first one stalls: all of them are late."""
    stand_in.answers = [slow(0.4), OK]
    load = Load(seconds=0.4, concurrency=1, rate=25)
    tally = loaded(stand_in, load)
    assert len(tally.latencies_ms) == 10
    assert tally.latencies_ms[0] >= 400
    assert tally.latencies_ms[5] >= 150
    assert tally.latencies_ms == sorted(tally.latencies_ms, reverse=True)


def test_what_goes_wrong_is_counted_by_kind(stand_in: StandIn):
    stand_in.answers = [OK, says({"error": "no"}, code=503), says({"error": "no"}, code=503), resets, OK]
    tally = loaded(stand_in, Load(seconds=0.3, concurrency=1))
    assert tally.errors == {"HTTP 503": 2, "ProtocolError": 1}
    assert len(tally.latencies_ms) > 2


def test_a_request_is_made_of_recorded_examples_over_and_over():
    samples = tuple(
        Sample(
            signature="s",
            inputs={"x": np.array(values, np.float32)},
            outputs={"y": np.zeros(len(values), np.float32)},
        )
        for values in ([[1.0]], [[2.0], [3.0]])
    )
    assert sample_of(samples, 5).inputs["x"].tolist() == [[1], [2], [3], [1], [2]]


def test_examples_of_different_sizes_do_not_share_a_request():
    samples = tuple(
        Sample(signature="s", inputs={"x": np.ones((1, size), np.float32)}, outputs={"y": np.zeros(1)})
        for size in (2, 3)
    )
    assert sample_of(samples, 2).inputs["x"].tolist() == [[1.0, 1.0]] * 2


def test_a_contract_that_rest_cannot_carry_gives_no_request():
    half = Sample(signature="s", inputs={"x": np.zeros(1, np.float16)}, outputs={"y": np.zeros(1)})
    with pytest.raises(SmokeError, match="no sample that REST can carry"):
        sample_of((half,), 1)


@pytest.mark.parametrize(
    "wrong", [{"seconds": 0}, {"rate": -1}, {"concurrency": 0}, {"batch": 0}, {"protocol": "x"}]
)
def test_a_load_that_cannot_be_is_refused(wrong):
    with pytest.raises(UsageError):
        Load(**wrong)
