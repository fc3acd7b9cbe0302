"""Plays the requests that were recorded for a version, so that its first clients need not wait for it.

They lie beside the SavedModel as a TFRecord file of PredictionLog messages (``saved_model_warmup.cc``).
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from google.protobuf.message import DecodeError

from packager.protocol import message
from packager.serving.crc32c import masked_crc32c
from packager.serving.examples import classify, infer_all, regress
from packager.serving.inference import InferenceOptions, predict
from packager.serving.log import log
from packager.serving.metrics import Metrics
from packager.serving.native.servable import Servable
from packager.serving.rpc.specs import examples_in, signature_of, task_of
from packager.serving.status import Code, StatusError, invalid_argument

RECORDS = "assets.extra/tf_serving_warmup_requests"
MAX_RECORDS = 1000

_OPTIONS = InferenceOptions(timeout_ms=0)
_LENGTH = struct.Struct("<QI")
"""The head of a record: the length of its content, and a checksum of that length."""
_CHECKSUM = struct.Struct("<I")


def warm_up(servable: Servable, folder: Path, *, iterations: int = 1, metrics: Metrics | None = None) -> None:
    """Play the records of the version in ``folder``, if there are any; raise StatusError if one fails."""
    path = folder / RECORDS
    if not path.is_file():
        log.info("No warmup data file found at %s", path)
        return
    log.info("Starting to read warmup data for model at %s with model-warmup-options ", path)
    began, count = time.monotonic(), 0
    for record in _records(path):
        asked = _parsed(record, path)
        for _ in range(iterations):
            _play(servable, asked)
        count += 1
        if count > MAX_RECORDS:
            raise invalid_argument(f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}")
    seconds = time.monotonic() - began
    if metrics:
        metrics.note_warmup(str(folder), seconds)
    log.info(
        "Finished reading warmup data for model at %s. Number of warmup records read: %d. "
        "Elapsed time (microseconds): %d.",
        path,
        count,
        seconds * 1e6,
    )


def _play(servable: Servable, record: Any) -> None:
    kind = record.WhichOneof("choice")
    request: Any = getattr(record, kind).request if kind else None
    match kind:
        case "predict_log":
            signature = signature_of(servable, request.model_spec)
            predict(servable, signature, request.inputs, _OPTIONS, request.output_filter)
        case "classify_log":
            classify(servable, request.model_spec.signature_name, examples_in(request.input), _OPTIONS)
        case "regress_log":
            regress(servable, request.model_spec.signature_name, examples_in(request.input), _OPTIONS)
        case "multi_inference_log":
            infer_all(servable, list(map(task_of, request.tasks)), examples_in(request.input), _OPTIONS)
        case "session_run_log":
            number = record.DESCRIPTOR.fields_by_name[kind].number
            raise StatusError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {number}")
        case _:  # a record of nothing, or of a stream, is passed over
            return


def _parsed(record: bytes, path: Path) -> Any:
    try:
        return message("PredictionLog").FromString(record)
    except DecodeError as error:
        shown = record.decode("utf-8", "replace")
        raise invalid_argument(f"Failed to parse warmup record: {shown} from {path}") from error


def _records(path: Path) -> Iterator[bytes]:
    """Yield the contents of a TFRecord file's records, or raise StatusError."""
    with path.open("rb") as file:
        while head := file.read(_LENGTH.size):
            yield _content(file, head)


def _content(file: BinaryIO, head: bytes) -> bytes:
    offset = file.tell() - len(head)
    if len(head) < _LENGTH.size:
        raise _data_loss(f"truncated record at {offset}")
    length, checksum = _LENGTH.unpack(head)
    if masked_crc32c(head[:8]) != checksum:
        raise _corrupted(offset)
    content, tail = file.read(length), file.read(_CHECKSUM.size)
    if len(tail) < _CHECKSUM.size:
        raise _data_loss(f"truncated record at {offset}")
    if (masked_crc32c(content),) != _CHECKSUM.unpack(tail):
        raise _corrupted(offset)
    return content


def _corrupted(offset: int) -> StatusError:
    doubt = "" if offset else " (Is this even a TFRecord file?)"
    return _data_loss(f"corrupted record at {offset}{doubt}")


def _data_loss(problem: str) -> StatusError:
    return StatusError(Code.DATA_LOSS, f"{problem}. Please verify your warmup data is in TFRecord format.")
