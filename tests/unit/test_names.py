"""Names that TensorFlow or a client could not use, and what becomes of them."""

from __future__ import annotations

import pytest

from packager.errors import SignatureError, UsageError
from packager.loading.names import with_valid_names
from packager.signatures import rename
from packager.values import ServableVersion, TensorSpec, check_model_name


def layer(name: str, *inbound: str) -> dict[str, object]:
    return {
        "class_name": "Dense",
        "config": {"name": name},
        "inbound_nodes": [[[source, 0, 0, {}] for source in inbound]],
    }


def test_layer_names_are_replaced_in_every_reference() -> None:
    config = {
        "class_name": "Functional",
        "config": {
            "name": "model",
            "layers": [layer("in put"), layer("in_put"), layer("out", "in put", "in_put")],
            "input_layers": [["in put", 0, 0]],
        },
    }
    renamed, originals = with_valid_names(config)
    names = [part["config"]["name"] for part in renamed["config"]["layers"]]
    assert names == ["in_put_1", "in_put", "out"]
    assert renamed["config"]["layers"][2]["inbound_nodes"][0] == [
        ["in_put_1", 0, 0, {}],
        ["in_put", 0, 0, {}],
    ]
    assert renamed["config"]["input_layers"] == [["in_put_1", 0, 0]]
    assert originals == {"in_put_1": "in put"}


def test_valid_names_stay() -> None:
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [layer("conv4-1.x_2")]}}
    assert with_valid_names(config) == (config, {})


SPECS = (
    TensorSpec(name="a", dtype="float32", shape=(None, 2)),
    TensorSpec(name="b", dtype="float32", shape=(None, 3)),
)


def test_renaming_swaps_names_not_tensors() -> None:
    renamed = rename(SPECS, {"a": "b", "b": "a"}, side="input")
    assert [(s.name, s.shape) for s in renamed] == [("b", (None, 2)), ("a", (None, 3))]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"c": "x"}, "no input named 'c'"),
        ({"a": "b"}, "two inputs named 'b'"),
        ({"a": " "}, "invalid input name"),
        ({"a": "x\n"}, "invalid input name"),
    ],
)
def test_names_that_cannot_be_are_refused(names: dict[str, str], message: str) -> None:
    with pytest.raises(SignatureError, match=message) as caught:
        rename(SPECS, names, side="input")
    assert caught.value.hint


def test_a_servable_checks_its_name() -> None:
    with pytest.raises(UsageError):
        ServableVersion(name="a/b", version=1, path=None)  # type: ignore[arg-type]
    assert check_model_name("digits_v1.2-x") == "digits_v1.2-x"
