"""Warm-up requests inside the SavedModel, which a server plays before the version becomes AVAILABLE.

The file is ``assets.extra/tf_serving_warmup_requests``: a TFRecord of PredictionLog messages, at most 1000
(tensorflow_serving/servables/tensorflow/saved_model_warmup_util.h).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from packager.contract import Sample
from packager.contract.calls import interface_of
from packager.errors import UsageError
from packager.protocol import message
from packager.savedmodel.samples import Array
from packager.values import Signature

FILE = "assets.extra/tf_serving_warmup_requests"

LIMIT = 1000
"""Records; a server refuses to load a model with more."""


def check_count(signatures: int, batches: Sequence[int]) -> None:
    """Raise UsageError where so many signatures and batch sizes are more records than servers take."""
    if signatures * len(batches) > LIMIT:
        raise UsageError(
            f"{signatures * len(batches)} warm-up requests: {len(batches)} batch sizes for each of "
            f"{signatures} signatures",
            hint=f"servers play {LIMIT} at most: fewer --warmup",
        )


def in_batches(given: Sequence[Array], batches: Sequence[int]) -> list[list[Array]]:
    """Return requests of these sizes from arrays of examples, which come again where they are too few."""
    return [[array[np.arange(batch) % len(array)] for array in given] for batch in batches]


def write_warmup(
    folder: Path, samples: Sequence[Sample], signatures: Sequence[Signature], *, model_name: str
) -> None:
    """Write the requests of ``samples`` as warm-up records; the same samples give the same bytes."""
    interfaces = {signature.key: interface_of(signature.method) for signature in signatures}
    file = folder / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for sample in samples:
            log = prediction_log(sample, interfaces[sample.signature], model_name)
            writer.write(log.SerializeToString(deterministic=True))


def prediction_log(sample: Sample, interface: str, model_name: str) -> Any:
    """Return a PredictionLog with the request of ``sample`` to ``predict``, ``classify`` or ``regress``."""
    log = message("PredictionLog")()
    request = getattr(log, f"{interface}_log").request
    request.model_spec.name = model_name
    request.model_spec.signature_name = sample.signature
    if interface == "predict":
        for name, array in sample.inputs.items():
            request.inputs[name] = tf.make_tensor_proto(array).SerializeToString(deterministic=True)
    else:
        (examples,) = sample.inputs.values()
        request.input.example_list.examples.extend(examples.tolist())
    return log
