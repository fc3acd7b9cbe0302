"""What changed between two contracts, and which changes break clients."""

from __future__ import annotations

import pytest

from packager.contract.diff import changes_between
from packager.values import Shape, Signature, TensorSpec

PREDICT = "tensorflow/serving/predict"


def spec(name: str, dtype: str = "float32", shape: Shape = (None, 4)) -> TensorSpec:
    return TensorSpec(name=name, dtype=dtype, shape=shape)


def signature(
    *inputs: TensorSpec, outputs: tuple[TensorSpec, ...] = (spec("y"),), key: str = "serving_default"
) -> Signature:
    return Signature(key=key, method=PREDICT, inputs=inputs or (spec("x"),), outputs=outputs)


def told(old: Signature, new: Signature) -> list[tuple[str, str, str, bool]]:
    return [(c.kind, c.subject, c.name, c.breaking) for c in changes_between([old], [new])]


def test_the_same_is_no_change() -> None:
    assert changes_between([signature()], [signature()]) == ()


def test_the_order_of_tensors_is_no_promise() -> None:
    assert told(signature(spec("a"), spec("b")), signature(spec("b"), spec("a"))) == []


@pytest.mark.parametrize(
    ("new", "change"),
    [
        (signature(spec("z")), ("renamed", "input", "x", True)),
        (signature(spec("x"), spec("z")), ("added", "input", "z", True)),
        (signature(spec("x", "int32")), ("retyped", "input", "x", True)),
        (signature(spec("x", shape=(None, None))), ("reshaped", "input", "x", False)),
        (signature(spec("x", shape=(1, 4))), ("reshaped", "input", "x", True)),
        (signature(spec("x", shape=(None, 5))), ("reshaped", "input", "x", True)),
        (signature(spec("x", shape=(None,))), ("reshaped", "input", "x", True)),
        (signature(outputs=(spec("z"),)), ("renamed", "output", "y", True)),
        (signature(outputs=(spec("y", "float64"),)), ("retyped", "output", "y", True)),
        (signature(outputs=(spec("y", shape=(None, None)),)), ("reshaped", "output", "y", True)),
        (signature(outputs=(spec("y", shape=(3, 4)),)), ("reshaped", "output", "y", False)),
        (signature(outputs=(spec("y"), spec("z"))), ("added", "output", "z", True)),
    ],
)
def test_each_change_is_told_and_judged(new: Signature, change: tuple[str, str, str, bool]) -> None:
    assert told(signature(), new) == [change]


def test_what_breaks_says_why_and_what_does_not_says_nothing() -> None:
    new = signature(spec("x", shape=(None, None)), outputs=(spec("z"),))
    renamed, reshaped = changes_between([signature()], [new])
    assert "name" in renamed.why
    assert reshaped.why == ""
    assert str(renamed) == "renamed output of 'serving_default': y: float32[?, 4] → z: float32[?, 4]"


def test_one_more_of_several_outputs_breaks_nobody() -> None:
    several = (spec("y"), spec("z"))
    assert told(signature(outputs=several), signature(outputs=(*several, spec("w")))) == [
        ("added", "output", "w", False)
    ]


def test_an_output_that_is_gone_breaks() -> None:
    assert told(signature(outputs=(spec("y"), spec("z"))), signature()) == [("removed", "output", "z", True)]


def test_alike_tensors_are_not_taken_for_renamed_by_guessing() -> None:
    changes = told(signature(spec("a"), spec("b")), signature(spec("c"), spec("d")))
    assert {kind for kind, *_ in changes} == {"added", "removed"}


def test_signatures_come_go_and_change_their_names() -> None:
    one, other = signature(key="one"), signature(spec("q", "string"), key="other")
    renamed = signature(key="uno")
    assert [(c.kind, c.name, c.breaking) for c in changes_between([one, other], [renamed])] == [
        ("renamed", "one", True),
        ("removed", "other", True),
    ]
    assert [(c.kind, c.breaking) for c in changes_between([one], [one, other])] == [("added", False)]


def test_another_interface_breaks() -> None:
    new = Signature(key="s", method="tensorflow/serving/classify", inputs=(spec("x"),), outputs=(spec("y"),))
    old = Signature(key="s", method=PREDICT, inputs=(spec("x"),), outputs=(spec("y"),))
    (change,) = changes_between([old], [new])
    assert (change.kind, change.before, change.after, change.breaking) == (
        "method",
        "predict",
        "classify",
        True,
    )
