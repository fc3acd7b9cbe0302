"""Answers recorded on two processors are apart by rounding; whatever else differs is another contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures_contract import contract

from packager.contract import FILE, FOLDER, Contract, answers_apart, example_calls, write_contract
from packager.values import Closeness


def changed(how: Callable[[Contract], Contract] = lambda same: same) -> Contract:
    """Return a contract with scores and ``how`` done to it, its examples made of the samples it has then."""
    (sample,) = contract().samples
    scores = np.array([0.25, np.nan], np.float32)
    made = how(replace(contract(), samples=(replace(sample, outputs={**sample.outputs, "score": scores}),)))
    return replace(made, examples=example_calls(made.signatures, made.samples, made.model))


def other_arrays(side: str, name: str, by: float | bytes) -> Callable[[Contract], Contract]:
    def change(before: Contract) -> Contract:
        (sample, *rest) = before.samples
        arrays = dict(getattr(sample, side))
        arrays[name] = arrays[name] + np.asarray(by, arrays[name].dtype)
        return replace(before, samples=(replace(sample, **{side: arrays}), *rest))

    return change


def apart(tmp_path: Path, again: Contract, close: Closeness | None = None) -> float | None:
    write_contract(changed(), tmp_path / "recorded")
    write_contract(again, tmp_path / "again")
    return answers_apart(tmp_path / "recorded", tmp_path / "again", close or Closeness())


def test_rounding_is_told(tmp_path: Path) -> None:
    assert apart(tmp_path, changed()) == 0
    rounded = changed(other_arrays("outputs", "score", 5e-6))
    assert apart(tmp_path, rounded) == pytest.approx(5e-6, rel=0.1)
    assert apart(tmp_path, rounded, Closeness(rtol=0, atol=1e-6)) is None


@pytest.mark.parametrize(
    "change",
    [
        other_arrays("outputs", "score", 1e-3),
        other_arrays("outputs", "label", b"!"),
        other_arrays("inputs", "a/b", 1e-6),
        lambda before: replace(before, samples=before.samples[:-1]),
        lambda before: replace(before, tensorflow="2.0"),
        lambda before: replace(before, source_sha256="1" * 64),
    ],
)
def test_anything_else_is_another_contract(tmp_path: Path, change: Callable[[Contract], Contract]) -> None:
    assert apart(tmp_path, changed(change)) is None


def test_what_somebody_changed_is_not_the_same(tmp_path: Path) -> None:
    assert apart(tmp_path, changed()) == 0
    file = tmp_path / "recorded" / FOLDER / FILE
    for text in (file.read_text().replace("\n", " \n", 1), "{"):
        file.write_text(text)
        assert answers_apart(tmp_path / "recorded", tmp_path / "again", Closeness()) is None
