from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from model_server_stand_in import Seen, StandIn, resets, says, status

from packager.contract import Contract, Sample
from packager.errors import RequestError, ServableLoadError, SmokeError, UsageError, WrongAnswerError
from packager.progress import Level
from packager.smoketest.probing import probe
from packager.smoketest.rest import RestModel
from packager.smoketest.server import ServerExit
from packager.smoketest.trial import Trial, log_attached

RIGHT_ROWS = says({"predictions": [[0.25, 0.75], [0.5, 0.5]]})
RIGHT_COLUMNS = says({"outputs": [[0.25, 0.75], [0.5, 0.5]]})


def rest(stand_in: StandIn) -> RestModel:
    return RestModel(stand_in.url, model="m", version=1, timeout=10)


def trial(*samples: Sample, **changes) -> Trial:
    contract = Contract(
        source="m.h5",
        source_sha256="0",
        tensorflow="2.20.0",
        loader="keras 3",
        signatures=(),
        samples=samples,
    )
    settings = {"target": "t", "model": "m", "version": 1, "timeout": 5, "tolerance": 1e-5} | changes
    return Trial(contract=contract, **settings)


def test_each_sample_is_asked_in_both_forms(stand_in: StandIn, sample):
    stand_in.answers = [RIGHT_ROWS, RIGHT_COLUMNS]
    row, columnar = probe(rest(stand_in), (sample,), tolerance=1e-5)
    assert [body.keys() - {"signature_name"} for _, body in stand_in.asked] == [{"instances"}, {"inputs"}]
    assert (row.form, row.batch, row.signature) == ("row", 2, "serving_default")
    assert (columnar.form, columnar.max_difference) == ("columnar", 0.0)
    assert row.latency_ms > 0


def test_predictions_are_told_largest_first(stand_in: StandIn, sample):
    stand_in.answers = [RIGHT_ROWS, RIGHT_COLUMNS]
    first, second = probe(rest(stand_in), (sample,), tolerance=1e-5)[0].predictions
    assert (first.output, first.example, first.size, first.values) == ("y", 0, 2, ((1, 0.75), (0, 0.25)))
    assert (second.example, second.values) == (1, ((0, 0.5), (1, 0.5)))


def test_predicted_text_is_told_in_its_own_order(stand_in: StandIn):
    texts = Sample(signature="s", inputs={"x": np.zeros(1)}, outputs={"t": np.array([[b"b", b"a"]])})
    stand_in.answers = [says({"predictions": [["b", "a"]]}), says({"outputs": [["b", "a"]]})]
    (shown,) = probe(rest(stand_in), (texts,), tolerance=0)[0].predictions
    assert shown.values == ((0, "b"), (1, "a"))


def test_a_nan_that_was_recorded_is_right_and_shown_last(stand_in: StandIn):
    odd = Sample(signature="s", inputs={"x": np.zeros(1)}, outputs={"y": np.array([[np.nan, 1.0]])})
    stand_in.answers = [says(b'{"predictions": [[NaN, 1.0]]}'), says(b'{"outputs": [[NaN, 1.0]]}')]
    (shown,) = probe(rest(stand_in), (odd,), tolerance=0)[0].predictions
    assert [place for place, _ in shown.values] == [1, 0]


def test_a_wrong_answer_names_the_request_and_the_output(stand_in: StandIn, sample):
    stand_in.answers = [RIGHT_ROWS, says({"outputs": [[0.25, 0.75], [0.5, 0.6]]})]
    with pytest.raises(WrongAnswerError) as caught:
        probe(rest(stand_in), (sample,), tolerance=1e-5)
    assert str(caught.value).startswith(
        "'serving_default' in columnar form, batch 2: output 'y' is wrong at [1, 1]: the server says 0.6"
    )


def test_a_refused_request_is_named(stand_in: StandIn, sample):
    stand_in.answers = [says({"error": "no"}, code=400)]
    with pytest.raises(RequestError, match=r"^'serving_default' in row form, batch 2: HTTP 400: no$"):
        probe(rest(stand_in), (sample,), tolerance=1e-5)


def test_progress_tells_how_many_requests_there_are(stand_in: StandIn, sample):
    stand_in.answers = [RIGHT_ROWS, RIGHT_COLUMNS]
    events = []
    probe(rest(stand_in), (sample,), tolerance=1e-5, report=events.append)
    assert [(event.done, event.total) for event in events] == [(0, 2), (1, 2)]


def test_a_sample_that_rest_cannot_carry_is_left_out_and_told(stand_in: StandIn, sample):
    stand_in.answers = [RIGHT_ROWS, RIGHT_COLUMNS]
    half = dataclasses.replace(sample, signature="half", inputs={"x": np.zeros((2, 2), np.float16)})
    events = []
    assert len(probe(rest(stand_in), (half, sample), tolerance=1e-5, report=events.append)) == 2
    (warning,) = [event for event in events if event.level is Level.WARNING]
    assert "'half'" in warning.text


def test_asking_nothing_is_a_failure(stand_in: StandIn):
    with pytest.raises(SmokeError, match="nothing was asked"):
        probe(rest(stand_in), (), tolerance=1e-5)


def test_a_trial_reports_readiness_and_probes(stand_in: StandIn, sample):
    stand_in.answers = [RIGHT_ROWS, RIGHT_COLUMNS]
    stand_in.statuses = [status("LOADING"), status("AVAILABLE")]
    report = trial(sample).run(Seen(url=stand_in.url))
    assert (report.target, report.mode, report.model_name, report.version) == ("t", "process", "m", 1)
    assert 0.1 <= report.ready_s < 5
    assert len(report.probes) == 2
    assert report.max_difference == 0


def test_a_server_that_dies_over_a_request_is_told_as_dead(stand_in: StandIn, sample):
    server = Seen(url=stand_in.url)

    def die(handler):
        server.end = ServerExit(exit_code=139)
        resets(handler)

    stand_in.answers = [die]
    with pytest.raises(RequestError, match=r"the server ended while it was asked: exit code 139 \(SIGSEGV\)"):
        trial(sample).run(server)


def test_a_failure_carries_the_server_s_log(stand_in: StandIn, sample):
    stand_in.statuses = [status("END", error="no such op")]
    server = Seen(url=stand_in.url, log="E] no such op\n")
    with pytest.raises(ServableLoadError) as caught, log_attached(server.logs):
        trial(sample).run(server)
    assert caught.value.details == "the server's log:\n  E] no such op"


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"timeout": float("nan")}, {"tolerance": -1e-5}])
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(UsageError):
        trial(**wrong)
