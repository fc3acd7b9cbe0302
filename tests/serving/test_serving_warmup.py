"""Recorded requests are played before a version is available, and one that fails keeps it from being so."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
from embedded_server import serving

from packager.protocol import message
from packager.serving.crc32c import masked_crc32c

pytestmark = pytest.mark.tensorflow

RECORDS = "assets.extra/tf_serving_warmup_requests"
ONE = message("TensorProto")(dtype=1, float_val=[1.0]).SerializeToString()
EXAMPLE = b"\x0a\x11\x0a\x0f\x0a\x01x\x12\x0a\x12\x08\x0a\x06\x0a\x04\x00\x00\x80\x3f"


def record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return b"".join(
        (length, struct.pack("<I", masked_crc32c(length)), content, struct.pack("<I", masked_crc32c(content)))
    )


def records_of_every_kind() -> list[Any]:
    log = message("PredictionLog")
    predict, classify, regress, several = log(), log(), log(), log()
    predict.predict_log.request.inputs["x"] = ONE
    for one, key in ((classify.classify_log, "classify"), (regress.regress_log, "regress")):
        one.request.model_spec.signature_name = key
        one.request.input.example_list.examples.append(EXAMPLE)
    task = several.multi_inference_log.request.tasks.add(method_name="tensorflow/serving/regress")
    task.model_spec.name, task.model_spec.signature_name = "m", "regress"
    several.multi_inference_log.request.input.example_list.examples.append(EXAMPLE)
    return [predict, classify, regress, several]


def run_of_a_session() -> bytes:
    log = message("PredictionLog")()
    log.session_run_log.request.feed.add(name="x:0", tensor=ONE)
    log.session_run_log.request.fetch.append("y:0")
    return record(log.SerializeToString())


@pytest.fixture
def model(models: Path, tmp_path: Path) -> Path:
    shutil.copytree(models / "affine" / "1", tmp_path / "m" / "1")
    (tmp_path / "m" / "1" / "assets.extra").mkdir()
    return tmp_path / "m"


def test_requests_of_every_kind_are_played(model: Path) -> None:
    of_a_stream = b"\x3a\x00"  # field 7: predict_streamed_log
    contents = [*(one.SerializeToString() for one in records_of_every_kind()), of_a_stream, b""]
    content = b"".join(map(record, contents))
    (model / "1" / RECORDS).write_bytes(content)
    with serving(model_name="m", model_base_path=model, num_request_iterations_for_warmup=2) as server:
        server.wait_until_ready()
        log = server.log()
    place = model / "1" / RECORDS
    played = f"Finished reading warmup data for model at {place}. Number of warmup records read: 6."
    assert played in log
    assert log.index(played) < log.index("Successfully loaded servable version")


def tasks_of_no_model() -> bytes:
    log = message("PredictionLog")()
    log.multi_inference_log.request.tasks.add(method_name="tensorflow/serving/regress")
    return record(log.SerializeToString())


def wrong_signature() -> bytes:
    log = message("PredictionLog")()
    log.predict_log.request.model_spec.signature_name = "no"
    return record(log.SerializeToString())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"this is no record at all",
            "DATA_LOSS: corrupted record at 0 (Is this even a TFRecord file?). "
            "Please verify your warmup data is in TFRecord format.",
        ),
        (record(b"")[:-1], "DATA_LOSS: truncated record at 0"),
        (record(b"")[:-1] + b"!", "DATA_LOSS: corrupted record at 0"),
        (record(b"\xff"), "INVALID_ARGUMENT: Failed to parse warmup record: "),
        (run_of_a_session(), "UNIMPLEMENTED: Unsupported log_type for warmup: 5"),
        (tasks_of_no_model(), "INVALID_ARGUMENT: Found ModelSpec with an empty model name."),
        (wrong_signature(), 'FAILED_PRECONDITION: Serving signature key "no" not found.'),
        (
            record(records_of_every_kind()[0].SerializeToString()) * 1001,
            "INVALID_ARGUMENT: Number of warmup records exceeds the maximum (1000) at ",
        ),
    ],
)
def test_records_that_cannot_be_played_fail_the_load(model: Path, content: bytes, words: str) -> None:
    (model / "1" / RECORDS).write_bytes(content)
    with serving(model_name="m", model_base_path=model, max_num_load_retries=0) as server:
        assert server.exit_code() == 255
        assert f"{{name: m version: 1}} due to error: {words}" in server.log()


def test_records_are_left_alone_where_warmup_is_off(model: Path) -> None:
    (model / "1" / RECORDS).write_bytes(b"this is no record at all")
    with serving(model_name="m", model_base_path=model, enable_model_warmup="false") as server:
        server.wait_until_ready()
