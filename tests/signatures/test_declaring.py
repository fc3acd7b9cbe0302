"""``packager convert`` with declarations: where they are found, what is refused, what is warned of."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from fixtures_command import Run

pytestmark = pytest.mark.tensorflow


def test_a_mistake_is_told_before_anything_is_loaded(packager: Run, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "packager.toml").write_text(
        "[models.digits.inputs.pixels]\nsteps = [{ rescale = '1/255' }]\n"
    )
    done = packager("convert", trained / "digits.h5", "--name", "digits")
    assert done.code == 15
    assert 'error: models.digits.inputs.pixels.steps[0].rescale = "1/255": not a finite number' in done.err
    assert "hint: it is a finite number" in done.err
    assert "importing TensorFlow" not in done.err
    assert os.listdir(tmp_path) == ["packager.toml"]


@pytest.mark.parametrize("option", ["--rtol", "--atol"])
def test_a_closeness_that_is_none_is_refused(packager: Run, trained: Path, option: str) -> None:
    done = packager("convert", trained / "digits.h5", "--name", "digits", option, "-1")
    assert done.code == 2
    assert f"invalid {option} -1" in done.err


def test_a_step_that_does_not_fit_the_model_is_refused(packager: Run, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "d.toml").write_text('[inputs.pixels]\nsteps = [{ keras_applications = "caffe" }]\n')
    done = packager("convert", trained / "digits.h5", "--name", "digits", "--signature", "d.toml")
    assert done.code == 15
    assert "inputs.pixels.steps do not fit the model's input pixels: float32[?, 8, 8, 1]" in done.err
    assert "is for 3 values, and the last dimension has 1" in done.err
    assert os.listdir(tmp_path) == ["d.toml"]


def test_a_vocabulary_larger_than_the_embedding_is_refused(
    packager: Run, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "d.toml").write_text(
        '[inputs.words]\nsteps = [{ split = 6 }, { vocabulary = ["good", "bad"], first = 8 }]\n'
    )
    done = packager("convert", trained / "reviews.h5", "--name", "reviews", "--signature", "d.toml")
    assert done.code == 15
    assert "the vocabulary gives numbers up to 9, and the model's embedding has 9 rows" in done.err
    assert "hint: give the vocabulary of the training: 9 words" in done.err
    assert os.listdir(tmp_path) == ["d.toml"]


def test_images_that_nothing_scales_are_warned_of_and_real_samples_are_compared(
    packager: Run, trained: Path, tmp_path: Path
) -> None:
    """Without a declaration; the samples are given by name, and the batches are 1, 2 and all."""
    np.savez(tmp_path / "samples.npz", pixels=np.random.RandomState(1).rand(5, 8, 8, 1))
    done = packager(
        *("convert", trained / "digits.h5", "--name", "digits", "--samples", "samples.npz", "--json"),
        *("--rtol", "1e-3"),
    )
    assert done.code == 0, done.err
    (warned,) = (text for text in done.json["warnings"] if "looks like images" in text)
    assert "[inputs.pixels] steps = [{ rescale = 0.003921569 }]" in warned
    (found,) = done.json["deviations"]
    assert (found["signature"], found["output"]) == ("serving_default", "scores")
    assert found["largest"] == done.json["parity"] <= 1e-5

    from packager.contract import read_contract

    contract = read_contract(tmp_path / "models/digits/1")
    assert contract is not None
    assert [sample.batch for sample in contract.samples] == [1, 2, 5]
