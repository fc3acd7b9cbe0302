"""Real files by other people: each is rebuilt, or what it lacks is asked for; recorded outputs are met."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import packager
from packager.errors import PackagerError, UnsafeFileError, WeightsOnlyError
from packager.isolation import run_isolated
from packager.progress import Report
from packager.values import NOTHING_SUPPLIED, ConversionOptions, Supplied

pytestmark = [pytest.mark.corpus, pytest.mark.tensorflow]

HERE = Path(__file__).parent
LAMBDAS = {"carnd_1560800.h5", "dl4j_model_lambda.h5"}
GOLDEN = ["dl4j_ELU_0", "dl4j_conv1d_k2_s1_d1_cl_same", "dl4j_simple_lstm_tf_keras_1"]
KERAS2_WEIGHTS = {
    "dl4j_ELU_0_weights.h5": "elu",
    "dl4j_k11x_cnn_tf_weights.h5": "k11x_cnn",
    "pypi_textgenrnn_weights.hdf5": "textgenrnn",
}
KERAS3_WEIGHTS = {"bankchurn.weights.h5": "bankchurn", "snake.weights.h5": "snake"}


@dataclass(frozen=True)
class Rebuilt:
    """A model that was rebuilt and asked, or why it was not."""

    finite: bool = False
    parameters: int = 0
    stored: int = 0
    error: PackagerError | None = None


def rebuild_all(files: Sequence[tuple[Path, Supplied]], *, report: Report) -> list[Rebuilt]:
    return [_rebuilt(path, supplied) for path, supplied in files]


def _rebuilt(path: Path, supplied: Supplied) -> Rebuilt:
    import tensorflow as tf

    from packager.h5 import admit
    from packager.loading.loading import load_model
    from packager.savedmodel.samples import sample_inputs

    try:
        inspection, config = admit(path, supplied)
        model = load_model(inspection, config, supplied)
    except PackagerError as error:
        return Rebuilt(error=error)
    specs = [given.spec for given in model.inputs]
    arrays = sample_inputs(specs, [given.vocabulary for given in model.inputs], batch=2, free=32)
    answers = model.call([tf.constant(array) for array in arrays])
    finite = all(bool(np.isfinite(answer.numpy()).all()) for answer in answers)
    return Rebuilt(finite=finite, parameters=model.parameters, stored=inspection.parameters)


def rebuild(files: dict[str, Supplied], corpus: Path, *, keras2: bool) -> dict[str, Rebuilt]:
    found = run_isolated(
        rebuild_all,
        [(corpus / name, supplied) for name, supplied in files.items()],
        environment={
            "PYTHONPATH": str(HERE),
            "KERAS_BACKEND": "tensorflow",
            "TF_USE_LEGACY_KERAS": "1" if keras2 else "0",
        },
    )
    return dict(zip(files, found, strict=True))


def full_models(corpus: Path) -> list[str]:
    with (corpus / "index.csv").open(newline="") as file:
        return [row["file"] for row in csv.DictReader(file) if row["kind"] == "full"]


def test_full_models_are_rebuilt_or_ask_for_what_is_missing(corpus: Path) -> None:
    names = full_models(corpus)
    assert len(names) >= 14
    found = rebuild(dict.fromkeys(names, NOTHING_SUPPLIED), corpus, keras2=True)
    for name, rebuilt in found.items():
        if name == "dl4j_model_lambda.h5":
            assert isinstance(rebuilt.error, UnsafeFileError)
            assert "Python 2.7 bytecode" in rebuilt.error.message
        elif name not in LAMBDAS:
            assert rebuilt.error is None, f"{name}: {rebuilt.error}"
            assert rebuilt.finite, name
            assert rebuilt.parameters == rebuilt.stored, name


@pytest.mark.parametrize("name", GOLDEN)
def test_recorded_outputs_are_met(corpus: Path, tmp_path: Path, name: str) -> None:
    conversion = packager.convert(
        corpus / f"{name}_model.h5",
        name="m",
        output=tmp_path / "models",
        options=ConversionOptions(golden=corpus / f"{name}_inputs_and_outputs.h5"),
    )
    assert conversion.golden is not None
    assert conversion.golden < 1e-5
    assert os.listdir(tmp_path / "models/m") == ["1"]


@pytest.mark.parametrize("keras2", [True, False])
def test_weights_take_an_architecture(corpus: Path, keras2: bool) -> None:
    functions = KERAS2_WEIGHTS if keras2 else KERAS3_WEIGHTS
    code = HERE / "architectures_of_weights.py"
    given = {name: Supplied(architecture=f"{code}:{function}") for name, function in functions.items()}
    for name, rebuilt in rebuild(given, corpus, keras2=keras2).items():
        assert rebuilt.error is None, f"{name}: {rebuilt.error} {rebuilt.error and rebuilt.error.details}"
        assert rebuilt.finite, name
    for name, lacking in rebuild(dict.fromkeys(given, NOTHING_SUPPLIED), corpus, keras2=keras2).items():
        assert isinstance(lacking.error, WeightsOnlyError), name
        assert "--architecture" in lacking.error.hint
