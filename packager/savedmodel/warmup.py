"""Warm-up requests inside the SavedModel, which a server plays before the version becomes AVAILABLE.

The file is ``assets.extra/tf_serving_warmup_requests``: a TFRecord of PredictionLog messages, at most 1000
(tensorflow_serving/servables/tensorflow/saved_model_warmup_util.h). The few messages that it needs are
written here by their field numbers, from tensorflow_serving/apis of github.com/tensorflow/serving.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from packager.contract import Sample
from packager.errors import UsageError

FILE = "assets.extra/tf_serving_warmup_requests"

LIMIT = 1000
"""Records; a server refuses to load a model with more."""

_PREDICT_LOG = 6  # PredictionLog.predict_log
_REQUEST = 1  # PredictLog.request
_MODEL_SPEC, _INPUTS = 1, 2  # PredictRequest
_NAME, _SIGNATURE_NAME = 1, 3  # ModelSpec
_KEY, _VALUE = 1, 2  # an entry of any map


def write_warmup(folder: Path, samples: Sequence[Sample], *, model_name: str) -> None:
    """Write the requests of ``samples`` as warm-up records; the same samples give the same bytes."""
    if len(samples) > LIMIT:
        raise UsageError(f"{len(samples)} warm-up requests", hint=f"{LIMIT} are allowed: fewer --warmup")
    file = folder / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for sample in samples:
            writer.write(prediction_log(model_name, sample.signature, sample.inputs))


def prediction_log(model_name: str, signature: str, inputs: Mapping[str, Any]) -> bytes:
    """Serialise a PredictionLog with a PredictRequest of ``inputs`` to ``signature``."""
    spec = _message([(_NAME, model_name.encode()), (_SIGNATURE_NAME, signature.encode())])
    entries = [
        (_INPUTS, _message([(_KEY, name.encode()), (_VALUE, _tensor(inputs[name]))]))
        for name in sorted(inputs)
    ]
    request = _message([(_MODEL_SPEC, spec), *entries])
    return _message([(_PREDICT_LOG, _message([(_REQUEST, request)]))])


def _tensor(array: Any) -> bytes:
    serialised: bytes = tf.make_tensor_proto(array).SerializeToString(deterministic=True)
    return serialised


def _message(fields: Iterable[tuple[int, bytes]]) -> bytes:
    """Write length-delimited fields (wire type 2), https://protobuf.dev/programming-guides/encoding."""
    return b"".join(_varint(number << 3 | 2) + _varint(len(value)) + value for number, value in fields)


def _varint(value: int) -> bytes:
    low = []
    while value > 0x7F:
        low.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*low, value])
