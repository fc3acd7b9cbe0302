"""Weights without an architecture: put into the right one exactly, refused by any other, with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from loads import Load, Outcome, answer_of, in_child, load_in_child, propose

from packager.values import Supplied

pytestmark = pytest.mark.tensorflow

MAPPING = """
unused = ["/epoch"]

[variables]
"dense/kernel" = { dataset = "w1", transpose = [1, 0] }
"dense/bias" = { dataset = "biases", slice = "0:8" }
"dense_1/bias" = { dataset = "biases", slice = "8:" }
"batch_normalization/gamma" = "norm/0"
"batch_normalization/beta" = "norm/1"
"batch_normalization/moving_mean" = "norm/2"
"batch_normalization/moving_variance" = "norm/3"
"""

STATEFUL = (("stateful", True),)


def supplied(architecture: str, **more: object) -> Supplied:
    return Supplied(architecture=architecture, **more)


def loads(folder: Path, cases: dict[tuple[str, str], Supplied]) -> list[Load]:
    """One load for each case, which are files with what is tried on them."""
    return [Load(folder / file, what, answer_of(folder / file)[0]) for (file, _), what in cases.items()]


def run(folder: Path, cases: dict[tuple[str, str], Supplied], *, keras2: bool) -> dict[str, Outcome]:
    outcomes = load_in_child(loads(folder, cases), keras2=keras2)
    return {f"{file} {how}".strip(): outcome for (file, how), outcome in zip(cases, outcomes, strict=True)}


def assert_answers(outcome: Outcome, path: Path, *, matched: set[str]) -> None:
    assert outcome.error is None, f"{outcome.error}: {outcome.error.details}"
    np.testing.assert_allclose(outcome.answer, answer_of(path)[1], atol=1e-6)
    assert {binding.matched for binding in outcome.bindings} == matched
    datasets = [(binding.dataset, binding.transform) for binding in outcome.bindings]
    assert len(datasets) == len(set(datasets))


def assert_begins_afresh(outcome: Outcome, path: Path) -> None:
    assert outcome.error is None, f"{outcome.error}: {outcome.error.details}"
    np.testing.assert_allclose(outcome.answer, answer_of(path)[1], atol=1e-6)
    for layer in ("both", "last"):
        assert f"layer {layer!r} is stateful: served, it begins every request afresh" in outcome.warnings


def test_weights_of_keras3(keras3_files: Path, tmp_path: Path) -> None:
    (tmp_path / "mapping.toml").write_text(MAPPING)
    (tmp_path / "twice.toml").write_text(MAPPING.replace('"8:"', '"7:10"'))
    stack, twins = "stack.weights.h5", "twins.weights.h5"
    outcomes = run(
        keras3_files,
        {
            (stack, ""): supplied("architectures.py:stack"),
            (stack, "module"): supplied("architectures:stack"),
            (stack, "config"): supplied(str(keras3_files / "stack.json")),
            (stack, "larger"): supplied("architectures:stack", arguments=(("units", 9),)),
            (stack, "smaller"): supplied("architectures:smaller"),
            (stack, "no such"): supplied("architectures:none"),
            (stack, "no model"): supplied("architectures:NOT_A_MODEL"),
            (stack, "raises"): supplied("architectures:stack", arguments=(("depth", 9),)),
            (twins, ""): supplied("architectures:twins"),
            (twins, "made in another order"): supplied(
                "architectures:twins", arguments=(("first", "right"), ("second", "left"))
            ),
            ("recurrent.weights.h5", ""): supplied("architectures:recurrent"),
            ("recurrent.weights.h5", "stateful"): supplied("architectures:recurrent", arguments=STATEFUL),
            ("own_class.weights.h5", ""): supplied("architectures:own_class"),
            ("nan.weights.h5", ""): supplied("architectures:stack"),
            ("raw.h5", ""): supplied("architectures:stack"),
            ("raw.h5", "mapped"): supplied(str(keras3_files / "raw.json"), mapping=tmp_path / "mapping.toml"),
            ("raw.h5", "twice"): supplied(str(keras3_files / "raw.json"), mapping=tmp_path / "twice.toml"),
        },
        keras2=False,
    )
    for name in (stack, f"{stack} module", f"{stack} config"):
        assert_answers(outcomes[name], keras3_files / name.split()[0], matched={"order"})
    for name in (twins, f"{twins} made in another order"):
        assert_answers(outcomes[name], keras3_files / name.split()[0], matched={"name"})
    assert_answers(
        outcomes["recurrent.weights.h5"], keras3_files / "recurrent.weights.h5", matched={"name", "order"}
    )
    own = "own_class.weights.h5"
    assert_answers(outcomes[own], keras3_files / own, matched={"order"})
    assert_begins_afresh(outcomes["recurrent.weights.h5 stateful"], keras3_files / "recurrent.weights.h5")
    assert_answers(outcomes["raw.h5 mapped"], keras3_files / "raw.h5", matched={"mapping", "shape"})
    transforms = {b.variable: b.transform for b in outcomes["raw.h5 mapped"].bindings}
    assert transforms["dense/kernel"] == "transpose 1 0"
    assert transforms["dense_1/bias"] == "slice 8:"
    assert outcomes["nan.weights.h5"].warnings == ("weights /layers/dense/vars/0 hold NaN or infinity",)

    larger, smaller = outcomes[f"{stack} larger"].error, outcomes[f"{stack} smaller"].error
    assert "'/layers/dense/vars/0' has (6, 8)" in larger.message
    assert larger.message.endswith("(and 6 more)")
    assert "layer 'dense_1' (8x3, 3) has no place in the architecture" in smaller.message
    assert "has no 'none'" in outcomes[f"{stack} no such"].error.message
    assert "'int', which is no Keras model" in outcomes[f"{stack} no model"].error.message
    assert "unexpected keyword argument 'depth'" in outcomes[f"{stack} raises"].error.message
    assert "has no weights in the file" in outcomes["raw.h5"].error.details
    assert "layer 'epoch' (1) has no place" in outcomes["raw.h5"].error.details
    assert "uses dataset '/biases' more than once" in outcomes["raw.h5 twice"].error.details


def test_weights_of_keras2(keras2_files: Path) -> None:
    renamed = (("first", "above"), ("second", "below"))
    outcomes = run(
        keras2_files,
        {
            ("stack.h5", ""): supplied("architectures:stack"),
            ("stack.h5", "again"): supplied("architectures:stack"),
            ("stack.h5", "smaller"): supplied("architectures:smaller"),
            ("twins.h5", "swapped"): supplied(
                "architectures:twins", arguments=(("first", "right"), ("second", "left"))
            ),
            ("twins.h5", "renamed"): supplied("architectures:twins", arguments=renamed),
            ("recurrent.h5", ""): supplied("architectures:recurrent"),
            ("recurrent.h5", "stateful"): supplied("architectures:recurrent", arguments=STATEFUL),
            ("recurrent.h5", "config"): supplied(str(keras2_files / "recurrent.json")),
            ("own_class.h5", ""): supplied("architectures:own_class"),
            ("theano.h5", ""): supplied("architectures:pictures"),
        },
        keras2=True,
    )
    assert_answers(outcomes["stack.h5"], keras2_files / "stack.h5", matched={"name"})
    assert_answers(outcomes["stack.h5 again"], keras2_files / "stack.h5", matched={"order"})
    for name in ("twins.h5 swapped", "recurrent.h5", "recurrent.h5 config", "theano.h5"):
        assert_answers(outcomes[name], keras2_files / name.split()[0], matched={"name"})
        assert outcomes[name].loader.startswith("tf_keras ")
    assert_answers(outcomes["own_class.h5"], keras2_files / "own_class.h5", matched={"order"})
    assert_begins_afresh(outcomes["recurrent.h5 stateful"], keras2_files / "recurrent.h5")
    kernels = {b.transform for b in outcomes["theano.h5"].bindings if b.variable.endswith("kernel")}
    assert kernels == {"flip 0 1"}
    assert "has no place" in outcomes["stack.h5 smaller"].error.message
    renamed_error = outcomes["twins.h5 renamed"].error
    assert (
        "layer 'above' (6x6, 6) is ambiguous: 'left', 'right' of the file would fit" in renamed_error.message
    )
    assert "packager map" in renamed_error.hint


def test_weights_of_either_keras_in_an_architecture_of_tf_keras(
    keras2_files: Path, keras3_files: Path, tmp_path: Path
) -> None:
    layers = "Sequential([k.Input((6,)), k.layers.Dense(8, 'relu'), k.layers.BatchNormalization(), "
    code = f"import tf_keras as k\n\n\ndef make():\n    return k.{layers}k.layers.Dense(3, 'softmax')])\n"
    (tmp_path / "mine.py").write_text(code, encoding="utf-8")
    cases = [
        *(
            (f"{name}.weights.h5", str(keras2_files / f"{name}.json"))
            for name in ("stack", "twins", "recurrent")
        ),
        ("stack.weights.h5", f"{tmp_path / 'mine.py'}:make"),
    ]
    for folder in (keras2_files, keras3_files):
        loads = [Load(folder / file, supplied(how), answer_of(folder / file)[0]) for file, how in cases]
        for (file, _), outcome in zip(cases, load_in_child(loads, keras2=False), strict=True):
            assert_answers(outcome, folder / file, matched={"name", "order"} & matched(outcome))
            assert outcome.loader.startswith("tf_keras ")


def matched(outcome: Outcome) -> set[str]:
    return {binding.matched for binding in outcome.bindings}


def test_full_models_need_their_custom_code_and_their_backend_undone(
    keras2_files: Path, keras3_files: Path
) -> None:
    code = Supplied(custom_objects=("architectures.py",))
    for folder, keras2 in ((keras2_files, True), (keras3_files, False)):
        path = folder / "scaled.h5"
        given, answer = answer_of(path)
        theano = [folder / f"theano_{c}.h5" for c in ("channels_last", "channels_first")] if keras2 else []
        without, scaled, *turned = load_in_child(
            [Load(path), Load(path, code, given), *(Load(p, given=answer_of(p)[0]) for p in theano)],
            keras2=keras2,
        )
        assert "'Scale'" in without.error.message
        assert "--custom-objects" in without.error.hint
        np.testing.assert_allclose(scaled.answer, answer, atol=1e-6)
        for outcome, source in zip(turned, theano, strict=True):
            assert outcome.error is None, outcome.error
            np.testing.assert_allclose(outcome.answer, answer_of(source)[1], atol=1e-6)


def test_a_mapping_to_start_from_marks_its_guesses(keras2_files: Path, tmp_path: Path) -> None:
    renamed = supplied("architectures:twins", arguments=(("first", "above"), ("second", "below")))
    text = in_child(propose, keras2_files / "twins.h5", renamed, environment={"TF_USE_LEGACY_KERAS": "1"})
    assert text.count("# 6x6: guess, by shape and order") == 2
    written = tmp_path / "mapping.toml"
    written.write_text(text)
    path = keras2_files / "twins.h5"
    [outcome] = load_in_child(
        [
            Load(
                path,
                supplied(renamed.architecture, arguments=renamed.arguments, mapping=written),
                answer_of(path)[0],
            )
        ],
        keras2=True,
    )
    assert_answers(outcome, path, matched={"mapping"})
