"""Warm-up records: for each signature and batch size, played by the server, and worth their time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures_command import Run, SourceModel

import packager as library
from packager.protocol import message
from packager.savedmodel.warmup import FILE
from packager.serving.warmup import _records
from packager.smoketest import running_folder
from packager.values import Conversion, ConversionOptions

pytestmark = pytest.mark.tensorflow


def logs(made: Conversion) -> list[Any]:
    """The records of a version, whose checksums are verified on the way."""
    return [message("PredictionLog").FromString(record) for record in _records(made.servable.path / FILE)]


def tensors(log: Any) -> dict[str, Any]:
    from packager.smoketest.tensors import from_message

    return {name: from_message(tensor) for name, tensor in log.predict_log.request.inputs.items()}


@pytest.fixture(scope="module")
def several(h5_models: Callable[[str], SourceModel], tmp_path_factory: pytest.TempPathFactory) -> Conversion:
    place = tmp_path_factory.mktemp("warm")
    (place / "s.toml").write_text("[signatures]\nclassify = true\n")
    return library.convert(
        h5_models("keras3_digits").path,
        name="digits",
        output=place / "models",
        options=ConversionOptions(signature=place / "s.toml", warmup=(1, 4)),
    )


def test_each_signature_is_warmed_by_its_own_interface_in_each_batch_size(several: Conversion) -> None:
    told = []
    for log in logs(several):
        kind = log.WhichOneof("choice")
        request = getattr(log, kind).request
        assert request.model_spec.name == "digits"
        size = (
            len(tensors(log)["image"]) if kind == "predict_log" else len(request.input.example_list.examples)
        )
        told.append((request.model_spec.signature_name, kind, size))
    assert told == [
        ("serving_default", "predict_log", 1),
        ("serving_default", "predict_log", 4),
        ("classify", "classify_log", 1),
        ("classify", "classify_log", 4),
    ]


def test_the_server_plays_them_before_it_is_ready(several: Conversion) -> None:
    with running_folder(several.servable.path.parent) as served:
        assert "Number of warmup records read: 4" in served.server.logs()


def test_smoke_tells_what_warmup_is_worth(several: Conversion, packager: Run) -> None:
    done = packager("smoke", several.servable.path.parent, "--compare-warmup", "--no-grpc", "--json")
    assert done.code == 0, done.err
    effect = done.json["warmup"]
    assert 0 < effect["first_ms"] < effect["first_ms_without"]
    assert effect["ready_s_without"] > 0


def test_samples_are_played_only_when_that_is_asked_for(
    h5_models: Callable[[str], SourceModel], packager: Run, tmp_path: Path
) -> None:
    given = np.random.RandomState(3).rand(3, 8, 8, 1).astype(np.float32)
    np.savez(tmp_path / "real.npz", image=given)
    source = h5_models("keras3_digits").path
    convert = ("convert", source, "--name", "m", "--samples", "real.npz", "--json")
    plain, asked = packager(*convert), packager(*convert, "--warmup-samples", "--warmup", 1, "--warmup", 5)
    assert (plain.code, asked.code) == (0, 0), asked.err
    assert any("'real.npz' ship in the image: they are in the contract" in w for w in plain.json["warnings"])
    assert any("the contract and the warm-up" in warning for warning in asked.json["warnings"])
    records = _records(tmp_path / "models" / "m" / "1" / FILE)
    (random,) = (tensors(message("PredictionLog").FromString(record))["image"] for record in records)
    assert not np.array_equal(random[0], given[0])
    records = _records(tmp_path / "models" / "m" / "2" / FILE)
    one, five = (tensors(message("PredictionLog").FromString(record))["image"] for record in records)
    np.testing.assert_array_equal(one, given[:1])
    np.testing.assert_array_equal(five, given[[0, 1, 2, 0, 1]])


def test_what_cannot_be_warmed_up_with_is_told(
    h5_models: Callable[[str], SourceModel], packager: Run, tmp_path: Path
) -> None:
    source = h5_models("keras3_digits").path
    done = packager("convert", source, "--name", "m", "--warmup-samples")
    assert (done.code, "--samples FILE" in done.err) == (2, True)
    many = [part for size in range(1, 1002) for part in ("--warmup", size)]
    done = packager("convert", source, "--name", "m", *many)
    assert (done.code, "1001 warm-up requests" in done.err) == (2, True)
    assert not (tmp_path / "models").exists()
