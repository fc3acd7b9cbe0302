"""The page of metrics: names, labels, buckets and layout."""

from __future__ import annotations

from packager.serving import metrics
from packager.serving.metrics import Metrics
from packager.serving.rest.api import Answer, Request
from packager.serving.rest.measuring import measured
from packager.serving.status import Code


def test_an_empty_page_names_every_metric() -> None:
    assert Metrics().page().decode().splitlines() == [
        "# TYPE :tensorflow:serving:request_count counter",
        "# TYPE :tensorflow:serving:request_example_count_total counter",
        "# TYPE :tensorflow:serving:request_example_counts histogram",
        "# TYPE :tensorflow:serving:request_latency histogram",
        "# TYPE :tensorflow:serving:runtime_latency histogram",
    ]


def test_requests_are_counted_by_how_they_ended_and_timed_when_answered() -> None:
    noted = Metrics()
    noted.note_request("m", "predict", "REST", Code.OK, 0.000_011)
    noted.note_request("m", "predict", "REST", Code.OK, 2000.0)
    noted.note_request("m", "predict", "REST", Code.INVALID_ARGUMENT, 0.1)
    page = noted.page().decode()
    labels = 'model_name="m",API="predict",entrypoint="REST"'
    assert ':tensorflow:serving:request_count{model_name="m",status="OK"} 2\n' in page
    assert ':tensorflow:serving:request_count{model_name="m",status="INVALID_ARGUMENT"} 1\n' in page
    buckets = [line for line in page.splitlines() if ":request_latency_bucket{" in line]
    assert len(buckets) == 34
    assert buckets[0] == f':tensorflow:serving:request_latency_bucket{{{labels},le="10"}} 0'
    assert buckets[1] == f':tensorflow:serving:request_latency_bucket{{{labels},le="18"}} 1'
    assert buckets[19] == f':tensorflow:serving:request_latency_bucket{{{labels},le="708235"}} 1'
    assert buckets[-1] == f':tensorflow:serving:request_latency_bucket{{{labels},le="+Inf"}} 2'
    assert f":tensorflow:serving:request_latency_sum{{{labels}}} 2e+09\n" in page
    assert f":tensorflow:serving:request_latency_count{{{labels}}} 2\n" in page


def test_odd_names_are_escaped() -> None:
    noted = Metrics()
    noted.note_run('a"b\\c\nd', "Predict", 0.0)
    assert rb'model_name="a\"b\\c\nd",API="Predict",runtime="TF1"' in noted.page()


def test_names_that_clients_make_up_do_not_pile_up() -> None:
    noted = Metrics()
    for number in range(metrics.MAX_SERIES + 50):
        noted.note_request(f"made-up-{number}", "predict", "REST", Code.NOT_FOUND, 0.0)
    assert noted.page().count(b"made-up-") == metrics.MAX_SERIES


def test_rest_requests_are_noted_and_the_page_is_found_at_its_path_only() -> None:
    noted = Metrics()
    respond = measured(lambda request: Answer(404, {}, code=Code.NOT_FOUND), noted, "/metrics")
    assert respond(Request(method="GET", path="/metrics?x")).status == 404
    respond(Request(method="POST", path="/v1/models/m/versions/7:predict"))
    respond(Request(method="POST", path="/v1/nonsense"))
    respond(Request(method="OPTIONS", path="/v1/models/m"))
    page = respond(Request(method="GET", path="/metrics"))
    assert (page.status, page.headers) == (200, {"Content-Type": "text/plain"})
    assert [line for line in page.body.decode().splitlines() if "request_count{" in line] == [
        ':tensorflow:serving:request_count{model_name="",status="NOT_FOUND"} 1',
        ':tensorflow:serving:request_count{model_name="m",status="NOT_FOUND"} 1',
    ]
