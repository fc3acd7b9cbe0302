"""Lambda layers: affine ones are lifted, others replaced by what the user names, or run where allowed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from fixtures_command import Run
from loads import HERE, KERAS2, Load, answer_of, in_child, load_all

from packager.values import NOTHING_SUPPLIED, Supplied

pytestmark = pytest.mark.tensorflow

SQUARES = (("squares", "replacements.py:squares"),)
UNSAFE = Supplied(allow_unsafe_lambda=True)


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, bool]:
    folder = tmp_path_factory.mktemp(request.param)
    marker = folder / "marker"
    maker = Path(__file__).with_name("make_lambdas.py")
    subprocess.run([sys.executable, maker, request.param, folder, marker], check=True, capture_output=True)
    return folder, marker, request.param == "tf_keras"


def test_lambdas_are_lifted_replaced_or_run(made: tuple[Path, Path, bool]) -> None:
    folder, marker, keras2 = made
    cases = {
        "named": Supplied(lambdas=(("named", "replacements.py:doubled"),)),
        "affine": NOTHING_SUPPLIED,
        "wrapped": NOTHING_SUPPLIED,
        "nested": NOTHING_SUPPLIED,
        "squares": Supplied(lambdas=SQUARES),
        "shaped": Supplied(lambdas=(("shaped", "tensorflow:abs"),)),
        "closure": UNSAFE,
    }
    refused = {
        "squares": NOTHING_SUPPLIED,
        "closure": NOTHING_SUPPLIED,
        "marking": NOTHING_SUPPLIED,
        "shaped": Supplied(lambdas=(("other", "tensorflow:abs"),)),
        "affine": Supplied(lambdas=(("scale", "replacements.py:none"),)),
        "nested": Supplied(lambdas=(("four", "replacements.py:NO_FUNCTION"),)),
    }
    loads = [Load(folder / f"{n}.h5", s, answer_of(folder / f"{n}.h5")[0]) for n, s in cases.items()]
    by_name = UNSAFE if keras2 else Supplied(custom_objects=("replacements.py",))  # Keras 2 stores no names
    loads.append(Load(folder / "named.h5", by_name, answer_of(folder / "named.h5")[0]))
    loads += [Load(folder / f"{n}.h5", s) for n, s in refused.items()]
    outcomes = in_child(load_all, loads, HERE, environment=KERAS2 if keras2 else {})
    for name, outcome in zip(cases, outcomes, strict=False):
        assert outcome.error is None, f"{name}: {outcome.error} {outcome.error.details}"
        expected = answer_of(folder / f"{name}.h5")[1]
        np.testing.assert_allclose(outcome.answer, expected, atol=1e-5, err_msg=name)
    named = outcomes[len(cases)]
    assert named.error is None, named.error
    np.testing.assert_allclose(named.answer, answer_of(folder / "named.h5")[1], atol=1e-5)
    errors = dict(zip(refused, (outcome.error for outcome in outcomes[len(cases) + 1 :]), strict=True))
    told = "layer 'squares' holds Python 3.11 or later bytecode (make_lambdas.py:"
    assert told in errors["squares"].message or sys.version_info < (3, 11)
    assert errors["squares"].hint == "--lambda squares=module:function"
    assert errors["closure"].exit_code == errors["marking"].exit_code == 12
    assert "no Lambda layer 'other' to replace" in errors["shaped"].message
    assert "has no 'none'" in errors["affine"].message
    assert errors["nested"].message == "--lambda four=replacements.py:NO_FUNCTION names a 'int', no function"
    assert not marker.exists()


def test_bytecode_runs_only_where_it_is_allowed_and_the_record_tells(
    made: tuple[Path, Path, bool], packager: Run
) -> None:
    folder, marker, _ = made
    refused = packager("convert", folder / "marking.h5", "--name", "m")
    assert refused.code == 12
    assert not marker.exists()
    done = packager("convert", folder / "marking.h5", "--name", "m", "--allow-unsafe-lambda", "--json")
    assert done.code == 0, done.err
    assert marker.exists()
    marker.unlink()
    assert done.json["unsafe_lambdas"] == ["marking"]
    assert "layer 'marking': bytecode from the file was run" in done.json["warnings"]


def test_bytecode_of_another_python_is_not_run(packager: Run, tmp_path: Path) -> None:
    old = next(
        line.split()[2]
        for line in (HERE.parent / "unit/h5/lambdas.txt").read_text().splitlines()
        if line.startswith("3.6 called ")
    )
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.2.4"
        layer = f'{{"name": "l", "function": ["{old}", null, null], "function_type": "lambda"}}'
        file.attrs["model_config"] = (
            '{"class_name": "Sequential", "config": [{"class_name": "Lambda", "config": ' + layer + "}]}"
        )
    done = packager("convert", path, "--name", "m", "--allow-unsafe-lambda")
    assert done.code == 12
    assert "layer 'l' holds Python 3.6 or 3.7 bytecode (model.py:1, names f, constants 255.0)" in done.err
    assert "nor can this Python" in done.err
    assert "--lambda l=module:function" in done.err


@pytest.mark.corpus
def test_real_lambdas(corpus: Path, packager: Run, tmp_path: Path) -> None:
    road = packager("convert", corpus / "carnd_1560800.h5", "--name", "road", "--json")
    assert road.code == 0, road.err
    assert road.json["unsafe_lambdas"] == []
    asked = packager("convert", corpus / "dl4j_model_lambda.h5", "--name", "m")
    assert asked.code == 12
    assert "layer 'lambda_3' holds Python 2.7 bytecode" in asked.err
    assert "hint: --lambda lambda_3=module:function" in asked.err  # lambda_4 is affine
    (tmp_path / "mine.py").write_text("def square(x):\n    return x ** 2\n")
    done = packager(
        "convert", corpus / "dl4j_model_lambda.h5", "--name", "m", "--lambda", "lambda_3=mine.py:square"
    )
    assert done.code == 0, done.err
