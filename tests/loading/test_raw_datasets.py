"""Datasets that no Keras laid out: an architecture is suggested, asks for the rest, and is filled exactly."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from fixtures_command import Run, SourceModel
from loads import Load, in_child, load_all, map_and_load, propose

from packager import pipeline
from packager.errors import UsageError, WeightsOnlyError
from packager.mapping import read_mapping
from packager.values import Supplied

pytestmark = pytest.mark.tensorflow

Arrays = dict[str, Any]
RANDOM = np.random.RandomState(3)
SIZES = (6, 8, 8, 3)


def some(*shape: int) -> Any:
    return RANDOM.uniform(-1, 1, shape).astype("f4")


KERNELS = [some(a, b) for a, b in itertools.pairwise(SIZES)]
BIASES = [some(size) for size in SIZES[1:]]
SQUARE = [some(6, 6) for _ in range(3)], [some(6) for _ in range(3)]


def dense(given: Any, kernels: list[Any], biases: list[Any]) -> Any:
    """The layers' answer, computed without any Keras."""
    for kernel, bias in zip(kernels, biases, strict=True):
        given = np.tanh(given @ kernel + bias)
    return given


def numbered(letter: str, arrays: list[Any]) -> Arrays:
    return {f"{letter}{number}": array for number, array in enumerate(arrays, 1)}


LAYOUTS: dict[str, tuple[Arrays, list[Any], list[Any]]] = {
    "arrays per layer": (numbered("w", KERNELS) | numbered("b", BIASES), KERNELS, BIASES),
    "folders of weights and biases": (
        numbered("weights/", KERNELS) | numbered("biases/", BIASES),
        KERNELS,
        BIASES,
    ),
    "outputs first": (
        {f"fc{n}/weight": kernel.T for n, kernel in enumerate(KERNELS)}
        | {f"fc{n}/bias": bias for n, bias in enumerate(BIASES)},
        KERNELS,
        BIASES,
    ),
    "one dataset of all biases": (
        {**numbered("w", KERNELS), "biases": np.concatenate(BIASES)},
        KERNELS,
        BIASES,
    ),
    "one dataset of all kernels": ({"w": np.stack(SQUARE[0]), "b": np.stack(SQUARE[1])}, *SQUARE),
    "the bias as a last row": (
        {f"theta{n}": np.vstack([k, b]) for n, (k, b) in enumerate(zip(KERNELS, BIASES, strict=True))},
        KERNELS,
        BIASES,
    ),
    "the bias as a last column": (
        {f"theta{n}": np.vstack([k, b]).T for n, (k, b) in enumerate(zip(KERNELS, BIASES, strict=True))},
        KERNELS,
        BIASES,
    ),
}


def write(path: Path, arrays: Arrays) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def suggested(path: Path) -> Path:
    """Write the suggested architecture with its questions answered."""
    text = pipeline.suggest_architecture(path)
    spec = path.with_suffix(".toml")
    spec.write_text(text.replace('activation = "?"', 'activation = "tanh"'))
    return spec


def test_every_layout_is_suggested_mapped_and_filled(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{name}.h5", arrays) for name, (arrays, _, _) in LAYOUTS.items()]
    given = some(5, 6)
    for path in paths:
        suggested(path)
    outcomes = in_child(map_and_load, paths, [given] * len(paths))
    for path, outcome, (_, kernels, biases) in zip(paths, outcomes, LAYOUTS.values(), strict=True):
        assert outcome.error is None, f"{path.stem}: {outcome.error} {outcome.error.details}"
        np.testing.assert_allclose(
            outcome.answer, dense(given, kernels, biases), atol=1e-5, err_msg=path.stem
        )
        assert len(outcome.bindings) == 6
        assert outcome.parameters == sum(array.size for array in (*kernels, *biases))


def test_pictures_by_a_spec_that_was_completed(tmp_path: Path) -> None:
    kernel, bias, last = some(3, 3, 2, 4), some(4), some(4, 5)
    path = write(tmp_path / "c.h5", {"c/w": kernel.transpose(3, 2, 0, 1), "c/b": bias, "d": last.T})
    text = pipeline.suggest_architecture(path)
    assert 'input = ["?", "?", 2]' in text
    assert text.count('padding = "?"') == 1
    assert text.count('activation = "?"') == 2
    answers = {'["?", "?", 2]': "[7, 7, 2]", 'padding = "?"': 'padding = "valid"\nstrides = 2'}
    for question, answer in {**answers, 'activation = "?"': 'activation = "linear"'}.items():
        text = text.replace(question, answer)
    path.with_suffix(".toml").write_text(text)
    given = some(2, 7, 7, 2)
    (outcome,) = in_child(map_and_load, [path], [given])
    assert outcome.error is None, outcome.error
    windows = np.lib.stride_tricks.sliding_window_view(given, (3, 3), axis=(1, 2))[:, ::2, ::2]
    pictures = np.einsum("nhwcij,ijcf->nhwf", windows, kernel) + bias
    np.testing.assert_allclose(outcome.answer, pictures.mean(axis=(1, 2)) @ last, atol=1e-4)
    assert {b.variable: b.transform for b in outcome.bindings}["conv2d/kernel"] == "transpose 2 3 1 0"


MAPPING = """
[variables]
"dense/kernel" = { dataset = "p", slice = "0:48", reshape = [6, 8] }
"dense/bias" = { dataset = "p", slice = "48:56" }
"dense_1/kernel" = { dataset = "p", slice = "56:", reshape = [3, 8], transpose = [1, 0] }
"""
SPEC = """
input = [6]
layers = [
    { class = "Dense", units = 8, activation = "tanh" },
    { class = "Dense", units = 3, use_bias = false },
]
"""


def test_one_dataset_of_everything_by_a_mapping(tmp_path: Path) -> None:
    first, bias, last = some(6, 8), some(8), some(8, 3)
    path = write(tmp_path / "p.h5", {"p": np.concatenate([first.ravel(), bias, last.T.ravel()])})
    (tmp_path / "spec.toml").write_text(SPEC)
    maps = {
        "right": MAPPING,
        "gap": MAPPING.replace('"48:56"', '"47:55"'),
        "shape": MAPPING.replace("[3, 8]", "[3, 7]"),
        "beyond": MAPPING.replace('"56:"', '"56:, 0"'),
        "name": MAPPING.replace("dense_1/kernel", "dense_9/kernel"),
    }
    given = some(4, 6)
    loads = []
    for name, text in maps.items():
        (tmp_path / f"{name}.map").write_text(text)
        what = Supplied(architecture=str(tmp_path / "spec.toml"), mapping=tmp_path / f"{name}.map")
        loads.append(Load(path, what, given))
    right, gap, shape, beyond, name = in_child(load_all, loads)
    np.testing.assert_allclose(right.answer, np.tanh(given @ first + bias) @ last, atol=1e-5)
    transforms = {b.variable: b.transform for b in right.bindings}
    assert transforms["dense_1/kernel"] == "slice 56: reshape 3 8 transpose 1 0"
    assert "'/p' more than once" in gap.error.message
    for wrong in (shape, beyond):
        assert "the mapping of 'dense_1/kernel' does not fit '/p'" in wrong.error.message
    assert "'dense_9/kernel' = '/p', and there is no such variable" in name.error.message


def test_what_is_left_over_is_offered_as_unused(tmp_path: Path) -> None:
    path = write(tmp_path / "left.h5", {"w": some(4, 3), "b": some(3), "epoch": some(1), "loss": some(7)})
    path.with_suffix(".toml").write_text('input = [4]\nlayers = [{ class = "Dense", units = 3 }]\n')
    what = Supplied(architecture=str(path.with_suffix(".toml")))
    text = in_child(propose, path, what)
    assert '# unused = ["/epoch", "/loss"]' in text
    path.with_suffix(".map").write_text(text.replace("# unused = [", "unused = ["))
    (outcome,) = in_child(
        load_all, [Load(path, Supplied(architecture=what.architecture, mapping=path.with_suffix(".map")))]
    )
    assert outcome.error is None, outcome.error


def test_a_square_kernel_alone_may_lie_either_way(tmp_path: Path) -> None:
    kernel, bias = some(4, 4), some(4)
    path = write(tmp_path / "square.h5", {"w": kernel, "b": bias})
    path.with_suffix(".toml").write_text('input = [4]\nlayers = [{ class = "Dense", units = 4 }]\n')
    plain = Supplied(architecture=str(path.with_suffix(".toml")))
    (tmp_path / "t.map").write_text('[variables]\n"dense/kernel" = { dataset = "w", transpose = [1, 0] }\n')
    given = some(3, 4)
    asks, turned = in_child(
        load_all,
        [
            Load(path, plain),
            Load(path, Supplied(architecture=plain.architecture, mapping=tmp_path / "t.map"), given),
        ],
    )
    assert "'/w' may lie transposed: nothing tells, for it is square" in asks.error.message
    np.testing.assert_allclose(turned.answer, given @ kernel.T + bias, atol=1e-5)


def test_from_datasets_to_a_servable_at_the_command(packager: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "raw.h5", numbered("w", KERNELS) | numbered("b", BIASES))
    told = packager("convert", path, "--name", "m")
    assert told.code == 11
    assert "packager map" in told.err
    assert packager("map", "raw.h5", "-o", "layers.toml").code == 0
    layers = tmp_path / "layers.toml"
    asked = packager("convert", "raw.h5", "--name", "m", "--architecture", "layers.toml")
    assert asked.code == 2
    assert "'layers.toml' leaves activation of layer 1 (Dense) open (and 2 more)" in asked.err
    assert 'activation = "relu"' in asked.err
    mapped = packager("map", "raw.h5", "--architecture", "layers.toml", "-o", "m.toml")  # still open
    assert mapped.code == 0, mapped.err
    layers.write_text(layers.read_text().replace('activation = "?"', 'activation = "tanh"'))
    done = packager(
        "convert", "raw.h5", "--name", "m", "--architecture", "layers.toml", "--mapping", "m.toml", "--json"
    )
    assert done.code == 0, done.err
    assert {b["matched"] for b in done.json["bindings"]} == {"mapping"}
    assert [spec["name"] for spec in done.json["signatures"][0]["inputs"]] == ["input"]


def test_whole_numbers_for_fractions_are_told(
    packager: Run, h5_models: Callable[[str], SourceModel], tmp_path: Path
) -> None:
    """By shape and by a mapping, and in a model that has its architecture with it."""
    kernel, bias = np.arange(12, dtype="i1").reshape(4, 3), np.arange(3, dtype="i4")
    write(tmp_path / "raw.h5", {"w": kernel, "b": bias})
    (tmp_path / "layers.toml").write_text('input = [4]\nlayers = [{ class = "Dense", units = 3 }]\n')
    (tmp_path / "m.toml").write_text('[variables]\n"dense/bias" = "/b"\n')
    given = np.float32(RANDOM.rand(2, 4))
    np.savez(tmp_path / "golden.npz", **{"inputs/input": given, "outputs/dense": given @ kernel + bias})
    supplied = ("--architecture", "layers.toml", "--mapping", "m.toml", "--golden", "golden.npz")
    done = packager("convert", "raw.h5", "--name", "m", *supplied, "--json")
    assert done.code == 0, done.err
    assert sorted(done.json["warnings"]) == [
        f"weights /{path} are whole numbers ({kind}), and 'dense/{name}' takes float32: "
        "if they were quantised, their scale is not applied"
        for path, kind, name in (("b", "int32", "bias"), ("w", "int8", "kernel"))
    ]
    shutil.copy(h5_models("keras2_digits").path, tmp_path / "whole.h5")
    with h5py.File(tmp_path / "whole.h5", "r+") as file:
        paths: list[str] = []
        file["model_weights"].visit(lambda path: paths.append(path) if path.endswith("bias:0") else None)
        floats = file["model_weights"][paths[0]][()]
        del file["model_weights"][paths[0]]
        file["model_weights"][paths[0]] = np.ones_like(floats, "i2")
    full = packager("convert", "whole.h5", "--name", "whole", "--json")
    assert full.code == 0, full.err
    (told,) = [warning for warning in full.json["warnings"] if "whole numbers (int16)" in warning]
    assert paths[0] in told


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("input = [4]", "lists no layers"),
        ("input = [4]\nlayers = [{ units = 3 }]", "lists no layers"),
        ('input = 4\nlayers = [{ class = "Dense", units = 3 }]', "has an invalid input 4"),
        ('inputs = [4]\nlayers = [{ class = "Dense", units = 3 }]', "unknown key 'inputs'"),
        ("input = [", "is not TOML"),
    ],
)
def test_a_spec_that_is_none(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path / "raw.h5", {"w": some(4, 3)})
    (tmp_path / "spec.toml").write_text(text)
    with pytest.raises(UsageError, match=says.replace("[", r"\[")):
        pipeline.propose_mapping(path, supplied=Supplied(architecture=str(tmp_path / "spec.toml")))


def test_a_spec_is_held_to_the_rules_of_a_file(tmp_path: Path, packager: Run) -> None:
    path = write(tmp_path / "raw.h5", {"w": some(4, 3)})
    layer = '{ class = "Lambda", function = ["4wEA"], function_type = "lambda" }'
    (tmp_path / "spec.toml").write_text(f"input = [4]\nlayers = [{layer}]\n")
    done = packager("convert", path, "--name", "m", "--architecture", "spec.toml")
    assert done.code == 12
    (tmp_path / "spec.toml").write_text('input = [4]\nlayers = [{ class = "Dense", unit = 3 }]\n')
    done = packager("convert", path, "--name", "m", "--architecture", "spec.toml")
    assert done.code == 13
    assert "'unit'" in done.err or "units" in done.err


@pytest.mark.parametrize("arrays", [{"x": some(3, 4), "y": some(7, 9)}, {"v": some(11)}, {"s": some()}])
def test_what_does_not_chain_is_no_stack(tmp_path: Path, arrays: Arrays) -> None:
    with pytest.raises(WeightsOnlyError, match="do not chain"):
        pipeline.suggest_architecture(write(tmp_path / "raw.h5", arrays))


@pytest.mark.parametrize("value", ["a:b", "1:2:3", "x", "0, :, y"])
def test_a_slice_that_is_none(tmp_path: Path, value: str) -> None:
    (tmp_path / "m.toml").write_text(f'[variables]\n"v" = {{ dataset = "d", slice = "{value}" }}\n')
    with pytest.raises(UsageError, match="invalid slice"):
        read_mapping(tmp_path / "m.toml")
