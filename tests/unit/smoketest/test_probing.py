from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from model_server_stand_in import Seen, StandIn, by_form, published, resets, says, status

from packager.contract import Contract, Sample
from packager.errors import (
    BudgetError,
    LeftoverError,
    RequestError,
    ServableLoadError,
    SmokeError,
    UsageError,
    WrongAnswerError,
)
from packager.progress import Level
from packager.smoketest.ending import check_nothing_left
from packager.smoketest.probing import probe
from packager.smoketest.rest import RestModel
from packager.smoketest.server import ServerExit
from packager.smoketest.timeline import Timeline
from packager.smoketest.trial import Trial, log_attached
from packager.values import Budget, Signature, TensorSpec

RIGHT_ROWS = says({"predictions": [[0.25, 0.75], [0.5, 0.5]]})
RIGHT_COLUMNS = says({"outputs": [[0.25, 0.75], [0.5, 0.5]]})


def rest(stand_in: StandIn) -> RestModel:
    return RestModel(stand_in.url, model="m", version=1, timeout=10)


def trial(*samples: Sample, signatures: tuple[Signature, ...] = (), **changes) -> Trial:
    contract = Contract(
        source="m.h5",
        source_sha256="0",
        tensorflow="2.20.0",
        loader="keras 3",
        signatures=signatures,
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


@pytest.fixture
def serving(stand_in: StandIn) -> Seen:
    """A server that answers ``sample`` right in both forms, and refuses nonsense."""
    rows = [[0.25, 0.75], [0.5, 0.5]]
    stand_in.answers = [by_form(rows, rows)]
    stand_in.refusal = says({"error": "what?"}, code=400)
    return Seen(url=stand_in.url)


def test_a_trial_goes_through_every_phase(stand_in: StandIn, serving: Seen, sample):
    stand_in.statuses = [status("LOADING"), status("AVAILABLE")]
    timeline = Timeline()
    report = trial(sample).run(serving, timeline)
    assert [phase.name for phase in timeline.phases] == [
        *("listen", "load", "metadata", "answers", "steady", "refusals", "budget", "stop")
    ]
    assert all(phase.ok for phase in timeline.phases)
    assert (report.target, report.mode, report.model_name, report.version) == ("t", "process", "m", 1)
    assert 0.1 <= report.ready_s < report.cold_start_s < 5
    assert len(report.probes) == 2
    assert report.max_difference == 0
    assert len(report.steady_ms) == 100
    assert 0 < report.steady_p50_ms <= report.steady_p99_ms <= max(report.steady_ms)
    assert report.memory_bytes == serving.memory


def no_signature(server: StandIn, _: Seen) -> None:
    server.metadata = says({"metadata": {"signature_def": {"signature_def": {}}}})


def other_input(server: StandIn, _: Seen) -> None:
    server.metadata = says(published(inputs={"z": (-1, 2)}, outputs={"y": (-1, 2)}))


def other_shape(server: StandIn, _: Seen) -> None:
    server.metadata = says(published(inputs={"x": (-1, 3)}, outputs={"y": (-1, 2)}))


def no_metadata(server: StandIn, _: Seen) -> None:
    server.metadata = says([])


def takes_nonsense(server: StandIn, _: Seen) -> None:
    server.refusal = says({"predictions": []})


def breaks_at_nonsense(server: StandIn, _: Seen) -> None:
    server.refusal = says({"error": "oh"}, code=500)


def unloads_at_nonsense(server: StandIn, _: Seen) -> None:
    server.statuses = [status("AVAILABLE"), status("UNLOADING")]


def ignores_sigterm(_: StandIn, seen: Seen) -> None:
    seen.ends = ServerExit(exit_code=137)


def crashes_at_sigterm(_: StandIn, seen: Seen) -> None:
    seen.ends = ServerExit(exit_code=139)


@pytest.mark.parametrize(
    ("spoil", "phase", "code", "told"),
    [
        (no_signature, "metadata", 61, "the server has no signature 'serving_default': it has none"),
        (other_input, "metadata", 61, "signature 'serving_default' has no input 'x': the server has 'z'"),
        (other_shape, "metadata", 61, "the server has x: float32[?, 3], the contract says x: float32[?, 2]"),
        (no_metadata, "metadata", 34, "the model's metadata cannot be read"),
        (takes_nonsense, "refusals", 34, "a body that is no JSON is answered with HTTP 200"),
        (breaks_at_nonsense, "refusals", 34, "HTTP 500, where clients count on 4xx"),
        (
            unloads_at_nonsense,
            "refusals",
            34,
            "the version is gone after requests that were refused: UNLOADING",
        ),
        (ignores_sigterm, "stop", 39, "did not end within 10 s of SIGTERM, and was killed"),
        (crashes_at_sigterm, "stop", 39, "the server ended badly at SIGTERM: exit code 139 (SIGSEGV)"),
    ],
)
def test_a_fault_is_found_by_its_phase(stand_in: StandIn, serving: Seen, sample, spoil, phase, code, told):
    spoil(stand_in, serving)
    timeline = Timeline()
    promised = Signature(
        key="serving_default",
        method="predict",
        inputs=(TensorSpec(name="x", dtype="float32", shape=(None, 2)),),
        outputs=(TensorSpec(name="y", dtype="float32", shape=(None, 2)),),
    )
    with pytest.raises(SmokeError) as caught:
        trial(sample, signatures=(promised,)).run(serving, timeline)
    assert told in str(caught.value)
    assert caught.value.exit_code == code
    assert (timeline.phases[-1].name, timeline.phases[-1].ok) == (phase, False)


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        (Budget(cold_start_s=1e-6), "the first answer came after"),
        (Budget(latency_ms=((50, 1e-6), (99, 1e-6))), "p99 of the latency is"),
        (Budget(memory_bytes=1000), "the server uses 50 MB of memory"),
    ],
)
def test_a_broken_budget_fails_with_what_was_measured(serving: Seen, sample, budget: Budget, told: str):
    timeline = Timeline()
    with pytest.raises(BudgetError, match=told):
        trial(sample, budget=budget).run(serving, timeline)
    assert timeline.phases[-1].name == "budget"


def test_a_budget_that_is_kept_says_nothing(serving: Seen, sample):
    budget = Budget(cold_start_s=60, latency_ms=((99, 10_000),), memory_bytes=10**9)
    assert trial(sample, budget=budget).run(serving).max_difference == 0


def test_memory_that_cannot_be_told_breaks_its_budget(serving: Seen, sample):
    serving.memory = None
    with pytest.raises(BudgetError, match="nothing tells how much memory"):
        trial(sample, budget=Budget(memory_bytes=1)).run(serving)


def test_what_is_left_behind_is_named():
    check_nothing_left(())
    with pytest.raises(LeftoverError, match="left something behind: packager-1, packager-2"):
        check_nothing_left(("packager-1", "packager-2"))


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
