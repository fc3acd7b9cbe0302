"""The page of metrics: names, labels, buckets and layout."""

from __future__ import annotations

from packager.serving import metrics
from packager.serving.metrics import Metrics
from packager.serving.rest.api import Answer, Request
from packager.serving.rest.measuring import measured
from packager.serving.status import Code


def test_an_empty_page_names_every_metric() -> None:
    serving = ":tensorflow:serving"
    assert Metrics().page().decode().splitlines() == [
        "# TYPE :tensorflow:cc:saved_model:load_attempt_count counter",
        "# TYPE :tensorflow:cc:saved_model:load_latency counter",
        "# TYPE :tensorflow:core:graph_run_time_usecs counter",
        "# TYPE :tensorflow:core:graph_run_time_usecs_histogram histogram",
        "# TYPE :tensorflow:core:graph_runs counter",
        f"# TYPE {serving}:batching_session:input_batch_size histogram",
        f"# TYPE {serving}:batching_session:padding_size histogram",
        f"# TYPE {serving}:batching_session:processed_batch_size histogram",
        f"# TYPE {serving}:batching_session:queuing_latency histogram",
        f"# TYPE {serving}:batching_session:wrapped_run_count counter",
        f"# TYPE {serving}:model_warmup_latency histogram",
        f"# TYPE {serving}:request_count counter",
        f"# TYPE {serving}:request_example_count_total counter",
        f"# TYPE {serving}:request_example_counts histogram",
        f"# TYPE {serving}:request_latency histogram",
        f"# TYPE {serving}:runtime_latency histogram",
    ]


def test_batches_are_counted_by_their_size_and_padding() -> None:
    noted = Metrics()
    noted.note_batched_inputs(2, 3)
    noted.note_batch([0.000_100, 0.000_150], padding=1, size=4)
    lines = set(noted.page().decode().splitlines())
    batching = ":tensorflow:serving:batching_session"
    assert lines > {
        f"{batching}:wrapped_run_count{{}} 1",
        f'{batching}:input_batch_size_bucket{{le="2"}} 0',
        f'{batching}:input_batch_size_bucket{{le="4"}} 2',
        f"{batching}:input_batch_size_sum{{}} 6",
        f'{batching}:padding_size_bucket{{execution_batch_size="4",le="1"}} 0',
        f'{batching}:padding_size_bucket{{execution_batch_size="4",le="2"}} 1',
        f'{batching}:processed_batch_size_bucket{{le="4"}} 0',
        f'{batching}:processed_batch_size_bucket{{le="8"}} 1',
        f'{batching}:queuing_latency_bucket{{thread_pool_name="",le="100"}} 0',
        f'{batching}:queuing_latency_bucket{{thread_pool_name="",le="120"}} 1',
        f'{batching}:queuing_latency_bucket{{thread_pool_name="",le="144"}} 1',
        f'{batching}:queuing_latency_bucket{{thread_pool_name="",le="172.8"}} 2',
    }


def test_loads_and_runs_of_graphs_are_counted() -> None:
    noted = Metrics()
    noted.note_load("/m/1", 0.5, loaded=True)
    noted.note_load("/m/2", 0.0, loaded=False)
    noted.note_warmup("/m/1", 0.25)
    noted.note_graph_run(0.001_5)
    lines = set(noted.page().decode().splitlines())
    saved_model, core = ":tensorflow:cc:saved_model", ":tensorflow:core"
    assert lines > {
        f'{saved_model}:load_attempt_count{{model_path="/m/1",status="success"}} 1',
        f'{saved_model}:load_attempt_count{{model_path="/m/2",status="fail"}} 1',
        f'{saved_model}:load_latency{{model_path="/m/1"}} 500000',
        ':tensorflow:serving:model_warmup_latency_count{model_path="/m/1",status="OK"} 1',
        f"{core}:graph_runs{{}} 1",
        f"{core}:graph_run_time_usecs{{}} 1500",
        f'{core}:graph_run_time_usecs_histogram_bucket{{le="1000"}} 0',
        f'{core}:graph_run_time_usecs_histogram_bucket{{le="2000"}} 1',
    }


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
