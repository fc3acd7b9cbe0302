"""Messages as JSON, and what writing them leaves behind."""

from __future__ import annotations

import gc
import json

from packager.serving.rest import answers

STATUS = {
    "model_version_status": [
        {"version": "1", "state": "END", "status": {"error_code": "OK", "error_message": 'ü "\n\x01'}},
        {"version": "2", "nothing": {}, "none": [], "deep": [[1, 2.5], [True, None], [{"a": [{}]}]]},
    ]
}


def test_a_message_is_laid_out_as_protobuf_prints_it() -> None:
    assert answers.message(STATUS) == json.dumps(STATUS, indent=1, ensure_ascii=False) + "\n"


def test_writing_a_message_leaves_no_garbage_that_waits_to_be_found() -> None:
    answers.message(STATUS)
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            answers.message(STATUS)
        assert gc.collect() == 0
    finally:
        gc.enable()
