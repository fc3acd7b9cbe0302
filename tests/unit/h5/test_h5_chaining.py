"""Shapes that chain are told as a stack of layers, and what they do not tell is asked for."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from packager.errors import UsageError
from packager.h5 import inspect_file, suggest_spec
from packager.h5.spec import read_spec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Shapes = dict[str, tuple[int, ...]]


def suggested(folder: Path, shapes: Shapes) -> dict[str, Any] | None:
    with h5py.File(folder / "raw.h5", "w") as file:
        for name, shape in shapes.items():
            file[name] = np.ones(shape, "f4")
    text = suggest_spec(inspect_file(folder / "raw.h5"))
    return None if text is None else tomllib.loads(text)


def told(spec: dict[str, Any] | None) -> list[Any]:
    assert spec
    sizes = [entry.get("units", entry.get("filters")) for entry in spec["layers"]]
    biased = ["" if entry.get("use_bias", True) else "no bias" for entry in spec["layers"]]
    classes = [entry["class"] for entry in spec["layers"]]
    return [spec["input"], *zip(classes, sizes, biased, strict=True)]


@pytest.mark.parametrize(
    ("shapes", "stack"),
    [
        (
            {"w1": (784, 128), "b1": (128,), "w2": (128, 10), "b2": (10,)},
            [[784], ("Dense", 128, ""), ("Dense", 10, "")],
        ),
        (
            {"w1": (128, 784), "b1": (128,), "w2": (10, 128), "b2": (10,)},
            [[784], ("Dense", 128, ""), ("Dense", 10, "")],
        ),
        (
            {"out": (8, 3), "hidden": (6, 8), "entry": (4, 6)},
            [[4], *(("Dense", n, "no bias") for n in (6, 8, 3))],
        ),
        ({"w1": (6, 8), "b1": (8,), "w2": (8, 3)}, [[6], ("Dense", 8, ""), ("Dense", 3, "no bias")]),
        ({"w": (5, 2, 7), "b": (7,)}, [["?", 2], ("Conv1D", 7, "")]),
        (
            {"c1": (16, 3, 5, 5), "c2": (32, 16, 3, 3), "d": (10, 32)},
            [
                ["?", "?", 3],
                ("Conv2D", 16, "no bias"),
                ("Conv2D", 32, "no bias"),
                ("GlobalAveragePooling2D", None, ""),
                ("Dense", 10, "no bias"),
            ],
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_shapes_that_chain(tmp_path: Path, shapes: Shapes, stack: list[Any]) -> None:
    spec = suggested(tmp_path, shapes)
    assert told(spec) == stack
    assert spec
    for entry in spec["layers"]:
        if "units" in entry or "filters" in entry:
            assert entry["activation"] == "?"
        if "filters" in entry:
            assert entry["padding"] == "?"


@pytest.mark.parametrize(
    "shapes",
    [{"a": (3, 4), "b": (7, 9)}, {"a": (5,)}, {"a": ()}, {"a": (0, 3), "b": (2, 2, 2, 2, 2, 2)}],
)
def test_shapes_that_do_not_chain(tmp_path: Path, shapes: Shapes) -> None:
    assert suggested(tmp_path, shapes) is None


def test_many_shapes_end_soon(tmp_path: Path) -> None:
    started = time.process_time()
    suggested(tmp_path, {f"w{n}": (50 - n, n + 1) for n in range(8)})
    assert suggested(tmp_path, {f"w{n}": (2, 2) for n in range(1001)}) is None
    assert time.process_time() - started < 5


def test_a_suggestion_is_a_spec_whose_questions_have_to_be_answered(tmp_path: Path) -> None:
    suggested(tmp_path, {"w": (4, 3), "b": (3,)})
    path = tmp_path / "layers.toml"
    path.write_text(suggest_spec(inspect_file(tmp_path / "raw.h5")) or "")
    with pytest.raises(UsageError, match=r"leaves activation of layer 1 \(Dense\) open"):
        read_spec(path)
    config = read_spec(path, leave_open=True)
    assert config["config"]["layers"][1]["config"] == {
        "name": "dense",
        "units": 3,
        "activation": "linear",
    }


@pytest.mark.parametrize("text", ["input = " + "[" * 50_000, "input = [1]\n\xff", "a = 1979-05-27", ""])
def test_what_is_no_spec(tmp_path: Path, text: str) -> None:
    path = tmp_path / "layers.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=r"layers\.toml"):
        read_spec(path)


def test_layers_inside_layers_and_names(tmp_path: Path) -> None:
    path = tmp_path / "layers.toml"
    path.write_text(
        'input = [-1, 5]\ndtype = "float64"\n'
        'layers = [{ class = "Bidirectional", layer = { class = "LSTM", units = 2 } },'
        ' { class = "LSTM", units = 3 }, { class = "Dense", units = 1, name = "last" }]\n'
    )
    first, both, lstm, last = read_spec(path)["config"]["layers"]
    assert first["config"] == {"name": "input", "batch_input_shape": [None, None, 5], "dtype": "float64"}
    assert both["config"]["layer"] == {"class_name": "LSTM", "config": {"name": "lstm", "units": 2}}
    assert [entry["config"]["name"] for entry in (both, lstm, last)] == ["bidirectional", "lstm_1", "last"]
