from __future__ import annotations

import pytest

from packager.errors import (
    OutOfMemoryError,
    PortTakenError,
    RequestError,
    ServableLoadError,
    ServerStartError,
)
from packager.smoketest.diagnosis import cannot_load, ended_early, ended_while_asked, load_failure, refused
from packager.smoketest.server import ServerExit

BEFORE = "2026-10-01 12:00:00.1: I tensorflow_serving/model_servers/server.cc:77] Building single model\n"
NO_VERSIONS = (
    "No versions of servable m found under base path /models/m. "
    "Did you forget to name your leaf directory as a number (eg. '/1/')?"
)
NO_BASE_PATH = "Could not find base path /models/m for servable m with error NOT_FOUND: /models/m not found"
NOT_FOUND = "NOT_FOUND: Could not find SavedModel .pb or .pbtxt at supplied export directory path"
OP_MISSING = "NOT_FOUND: Op type not registered 'SentencepieceOp' in binary running on host"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (NO_VERSIONS, NO_VERSIONS),
        (NO_BASE_PATH, NO_BASE_PATH),
        (f"E retrier.cc:46] Loading servable: {{name: m version: 1}} failed: {NOT_FOUND}", NOT_FOUND),
        (f"E loader_harness.cc:9] Servable: {{name: m version: 1}} load failure: {NOT_FOUND}", NOT_FOUND),
        (
            "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: "
            f"{{{{{{name: m version: 1}} due to error: {NOT_FOUND}}}, }}",
            f"{{{{{{name: m version: 1}} due to error: {NOT_FOUND}}}, }}",
        ),
    ],
)
def test_the_server_s_own_reason_is_found_in_its_log(line, reason):
    assert load_failure(f"{BEFORE}{line}\nlater\n") == reason


def test_a_log_without_failure_has_no_reason():
    assert load_failure(f"{BEFORE}Successfully loaded servable version {{name: m version: 1}}\n") is None


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        (OP_MISSING, "--base tensorflow/serving:"),
        (NO_VERSIONS, "models/NAME/1/saved_model.pb"),
        (NO_BASE_PATH, "$MODEL_BASE_PATH/$MODEL_NAME"),
        (NOT_FOUND, "packager convert"),
    ],
)
def test_a_load_failure_says_what_to_type(reason, hint):
    error = cannot_load(reason, model="m", version=1)
    assert str(error) == f"the server cannot load version 1 of 'm': {reason}"
    assert hint in error.hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('Serving signature name: "x" not found in signature def', "contract"),
        ("JSON object: does not have named input: x", "contract"),
        ("Could not find variable dense/kernel. This could mean that …", "incomplete or damaged"),
        ("No OpKernel was registered to support Op 'CudnnRNNV3'", "other processors"),
    ],
)
def test_a_refusal_says_what_to_type(text, hint):
    error = refused(400, text)
    assert str(error) == f"HTTP 400: {text}"
    assert hint in error.hint
    assert "packager convert" in error.hint


def test_a_refusal_for_no_known_reason_has_no_hint():
    assert refused(500, "something new").hint is None


def test_a_server_that_ended_for_a_bad_model_is_a_load_failure():
    log = f"{BEFORE}Loading servable: {{name: m version: 1}} failed: {NOT_FOUND}\n"
    error = ended_early(ServerExit(exit_code=255), log, model="m", version=1)
    assert isinstance(error, ServableLoadError)


def test_a_server_that_ended_for_its_port_is_told_as_that():
    log = f"{BEFORE}OSError: [Errno 98] Address already in use\n"
    assert isinstance(ended_early(ServerExit(exit_code=1), log, model="m", version=1), PortTakenError)


@pytest.mark.parametrize(
    ("end", "text", "hint"),
    [
        (ServerExit(exit_code=3), "exit code 3", "its log"),
        (ServerExit(exit_code=132), "exit code 132 (SIGILL)", "--base embedded"),
        (ServerExit(exit_code=127, error="exec: no such file"), "exit code 127: exec: no such file", "entry"),
    ],
)
def test_a_server_that_ended_without_a_reason_is_told_by_its_exit(end, text, hint):
    error = ended_early(end, BEFORE, model="m", version=1)
    assert isinstance(error, ServerStartError)
    assert str(error) == f"the server ended before it was ready: {text}"
    assert hint in error.hint


@pytest.mark.parametrize("code", [137, 0])
def test_a_server_out_of_memory_is_told_as_that_whatever_its_exit_code(code):
    end = ServerExit(exit_code=code, out_of_memory=True)
    error = ended_early(end, "", model="m", version=1)
    assert isinstance(error, OutOfMemoryError)
    assert f"out of memory, exit code {code}" in str(error)
    assert "--memory" in str(error.hint)
    assert isinstance(ended_while_asked(end, RequestError("lost")), OutOfMemoryError)
