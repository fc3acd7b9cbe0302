"""What a declaration may say, and how it is told what it may not."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from packager.errors import SignatureError, UsageError
from packager.signatures import find_declaration, read_declaration
from packager.signatures.declaration import Declaration, InputDeclaration, OutputDeclaration
from packager.signatures.steps import (
    STEPS,
    ApplicationMode,
    ColourOrder,
    OneHot,
    Pad,
    Rescale,
    Resize,
    Split,
    Standardize,
    Step,
    Vocabulary,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model file with statistics, and the files that may lie beside a declaration."""
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["scaler/mean"] = np.array([[1.0, 2.0, 3.0]])
        file["scaler/zero"] = np.zeros(3)
        file["scaler/table"] = np.ones((2, 3))
        file["scaler/nan"] = np.array([1.0, np.nan])
        file["scaler/one"] = 4
        file["scaler/words"] = ["a", "b"]
    np.savez(tmp_path / "s.npz", std=np.array([2, 4, 6]), objects=np.array([1.5]))
    (tmp_path / "half.npz").write_bytes((tmp_path / "s.npz").read_bytes()[:200])
    (tmp_path / "labels.txt").write_text("cat\ndog\nbird with spaces\n", encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes(b"s\xfc\xdf\n")
    return tmp_path


def read(folder: Path, text: str) -> Declaration:
    (folder / "d.toml").write_text(text, encoding="utf-8")
    return read_declaration(folder / "d.toml", model_file=folder / "m.h5")


def steps(folder: Path, text: str, more: str = "") -> tuple[Step, ...]:
    return read(folder, f"[inputs.x]\n{more}\nsteps = [{text}]").inputs["x"].steps


def test_nothing_declared_is_nothing(folder: Path) -> None:
    assert read(folder, "") == Declaration()


def test_all_that_can_be_declared(folder: Path) -> None:
    declared = read(
        folder,
        """
        batch = 8
        [signatures]
        bytes = false
        classify = true
        [inputs."a name/with slash"]
        name = "x"
        dtype = "uint8"
        shape = [-1, -1, 3]
        [outputs.y]
        name = "scores"
        activation = "softmax"
        labels = "labels.txt"
        top_k = 2
        argmax = true
        [outputs.z]
        labels = ["a", "b"]
        threshold = 1
        """,
    )
    assert declared == Declaration(
        batch=8,
        signatures={"bytes": False, "classify": True},
        inputs={"a name/with slash": InputDeclaration(name="x", dtype="uint8", shape=(None, None, 3))},
        outputs={
            "y": OutputDeclaration(
                name="scores",
                activation="softmax",
                labels=("cat", "dog", "bird with spaces"),
                top_k=2,
                argmax=True,
            ),
            "z": OutputDeclaration(labels=("a", "b"), threshold=1.0),
        },
    )


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("{ rescale = 2 }", Rescale(rescale=2.0)),
        ("{ rescale = 0.5, offset = -1 }", Rescale(rescale=0.5, offset=-1.0)),
        ("{ mean = [1, 2], std = 3 }", Standardize(mean=(1.0, 2.0), std=3.0)),
        ("{ std = 3, mean = 0 }", Standardize(mean=0.0, std=3.0)),
        ('{ mean = { dataset = "scaler/mean" } }', Standardize(mean=(1.0, 2.0, 3.0))),
        ('{ mean = { dataset = "/scaler/one" } }', Standardize(mean=4.0)),
        (
            '{ mean = 0, std = { npz = "s.npz", array = "std" } }',
            Standardize(mean=0.0, std=(2.0, 4.0, 6.0)),
        ),
        ("{ resize = [2, 3], antialias = true }", Resize(resize=(2, 3), antialias=True)),
        (
            '{ resize = [2, 3], method = "area", aspect = "pad" }',
            Resize(resize=(2, 3), method="area", aspect="pad"),
        ),
        ('{ colour_order = "bgr" }', ColourOrder(colour_order="bgr")),
        ('{ keras_applications = "torch" }', ApplicationMode(keras_applications="torch")),
        ("{ one_hot = 3 }", OneHot(one_hot=3)),
        ('{ pad = 3, side = "start", value = 7 }', Pad(pad=3, side="start", value=7.0)),
        (
            '{ vocabulary = "labels.txt", first = 2, unknown = 0 }',
            Vocabulary(vocabulary=("cat", "dog", "bird with spaces"), first=2, unknown=0),
        ),
    ],
)
def test_every_step(folder: Path, text: str, step: Step) -> None:
    assert steps(folder, text) == (step,)


def test_splitting_is_followed_by_a_vocabulary(folder: Path) -> None:
    found = steps(folder, '{ split = 3, lower = false }, { vocabulary = ["", "?"] }')
    assert found == (Split(split=3, lower=False), Vocabulary(vocabulary=("", "?")))


def test_statistics_by_column(folder: Path) -> None:
    (found,) = steps(folder, "{ mean = { b = 2, a = 1 }, std = [5, 6] }", 'columns = ["a", "b"]')
    assert found == Standardize(mean=(1.0, 2.0), std=(5.0, 6.0))


@pytest.mark.parametrize("kind", STEPS)
def test_the_example_of_each_step_can_be_read(folder: Path, kind: type[Step]) -> None:
    """Hints show them."""
    text = kind.EXAMPLE.replace("words.txt", "labels.txt").replace("scaler/std", "scaler/mean")
    text = text.replace("[0.5, 0.4]", "[0.5, 0.4, 0.3]")
    found = steps(folder, f'{text}, {{ vocabulary = ["a"] }}' if kind is Split else text)
    assert type(found[0]) is kind


X = "[inputs.x]\n"
WRONG = [
    # text, what is said, what the hint says
    ("nonsense = 1", "unknown key 'nonsense' in the declaration", "batch, signatures, inputs, outputs"),
    ("batch = 0", "declaration = { batch = 0 }: batch is 1 or more", "batch"),
    ('batch = "8"', 'batch = "8": not a whole number', "whole number"),
    ("batch = true", "batch = true: not a whole number", ""),
    ("inputs = 3", "inputs = 3: not a table", ""),
    ("[inputs]\nx = 3", "inputs.x = 3: not a table", ""),
    ('["inputs"."a b"]\nx = 3', "unknown key 'x' in inputs.\"a b\"", "name, dtype, shape, columns, steps"),
    ("[signatures]\npng = true", "unknown key 'png' in signatures", "bytes, classify, regress"),
    ('[signatures]\nbytes = "yes"', 'signatures.bytes = "yes": not true or false', ""),
    (X + 'dtype = "float"', 'inputs.x = { dtype = "float" }: dtype is one of float32', ""),
    (X + "shape = [0, 3]", "inputs.x.shape = [0, 3]: not a list of sizes", "-1 where free"),
    (X + "shape = [2.5]", "inputs.x.shape[0] = 2.5: not a whole number", ""),
    (X + 'columns = ["a", "a"]', "a column is named twice", ""),
    (X + 'columns = "a"', 'inputs.x.columns = "a": not a list of texts', ""),
    (X + "steps = { rescale = 1 }", "inputs.x.steps = { rescale = 1 }: not a list of steps", ""),
    (X + "steps = [1]", "inputs.x.steps[0] = 1: not a table", ""),
    (
        X + "steps = [{ scale = 2 }]",
        "inputs.x.steps[0] = { scale = 2 }: no such step",
        "rescale, mean, resize",
    ),
    (X + "steps = [{ rescale = 1, by = 2 }]", "unknown key 'by' in inputs.x.steps[0]", "rescale, offset"),
    (X + 'steps = [{ rescale = "1/255" }]', 'inputs.x.steps[0].rescale = "1/255": not a finite number', ""),
    (X + "steps = [{ rescale = nan }]", "inputs.x.steps[0].rescale = nan: not a finite number", ""),
    (X + "steps = [{ std = 2 }]", "no such step", "mean"),
    (X + "steps = [{ mean = 1, std = 0 }]", "a std of 0 divides by nothing", "{ mean = "),
    (X + "steps = [{ mean = [1, 2], std = [1] }]", "mean and std differ in length", ""),
    (X + "steps = [{ mean = [1, '2'] }]", 'inputs.x.steps[0].mean[1] = "2": not a finite number', ""),
    (
        X + "steps = [{ mean = { file = 'x' } }]",
        'steps[0].mean = { file = "x" }: no such source',
        "{ dataset = ",
    ),
    (X + "steps = [{ mean = { a = 1 } }]\ncolumns = ['a', 'b']", "no such source", "of the columns a, b"),
    (X + "steps = [{ mean = { dataset = 'scaler/men' } }]", "no numbers 'scaler/men'", "scaler/mean"),
    (X + "steps = [{ mean = { dataset = 'scaler' } }]", "no numbers 'scaler'", "scaler/mean"),
    (X + "steps = [{ mean = { dataset = 'scaler/table' } }]", "has shape [2, 3]", "a list of them"),
    (X + "steps = [{ mean = { dataset = 'scaler/nan' } }]", "or is not finite", ""),
    (X + "steps = [{ mean = { dataset = 'scaler/words' } }]", "no numbers 'scaler/words'", ""),
    (X + "steps = [{ mean = 0, std = { dataset = 'scaler/zero' } }]", "a std of 0", ""),
    (
        X + "steps = [{ mean = { npz = 's.npz', array = 'mean' } }]",
        "no numbers 'mean'",
        "there are: std, objects",
    ),
    (X + "steps = [{ mean = { npz = 'half.npz', array = 'std' } }]", "not a zip file", "an .npz file"),
    (X + "steps = [{ mean = { npz = 'no.npz', array = 'm' } }]", "no such file", "an .npz file"),
    (X + "steps = [{ mean = { npz = 1, array = 'm' } }]", "steps[0].mean.npz = 1: not text", ""),
    (X + "steps = [{ resize = [1, 2, 3] }]", "resize is [height, width]", "{ resize = [224, 224]"),
    (X + "steps = [{ resize = 224 }]", "inputs.x.steps[0].resize = 224: not a list of sizes", ""),
    (
        X + "steps = [{ resize = [2, 2], method = 'cubic' }]",
        "method is one of bilinear, nearest, bicubic",
        "",
    ),
    (X + "steps = [{ resize = [2, 2], aspect = 'fit' }]", "aspect is one of stretch, pad, crop", ""),
    (X + "steps = [{ rescale = 1 }, { resize = [2, 2] }]", "resize has to be the first step", ""),
    (X + "steps = [{ colour_order = 'gbr' }]", "colour_order is one of rgb, bgr", ""),
    (X + "steps = [{ keras_applications = 'vgg' }]", "keras_applications is one of caffe, tf, torch", ""),
    (X + "steps = [{ one_hot = 0 }]", "one_hot is 1 or more", ""),
    (X + "steps = [{ pad = -1 }]", "pad is 1 or more", ""),
    (X + "steps = [{ pad = 2, side = 'left' }]", "side is one of end, start", ""),
    (X + "steps = [{ vocabulary = [] }]", "no word in the vocabulary", ""),
    (X + "steps = [{ vocabulary = ['a', 'a'] }]", "a word stands twice", ""),
    (X + "steps = [{ vocabulary = ['a'], unknown = -1 }]", "unknown and first are 0 or more", ""),
    (X + "steps = [{ vocabulary = 'none.txt' }]", "inputs.x.steps[0].vocabulary: cannot read", "UTF-8"),
    (X + "steps = [{ vocabulary = 'latin.txt' }]", "cannot read", "UTF-8"),
    (X + "steps = [{ split = 2 }]", "a vocabulary has to follow split", ""),
    ("[outputs.y]\nactivation = 'relu'", "activation is softmax or sigmoid", ""),
    ("[outputs.y]\ntop_k = 0", "top_k is 1 or more", ""),
    ("[outputs.y]\ntop_k = 2\nthreshold = 0.5", "choose one", ""),
    ("[outputs.y]\nlabels = [1, 2]", "outputs.y.labels[0] = 1: not text", ""),
    ("[outputs.y]\nargmax = 1", "outputs.y.argmax = 1: not true or false", ""),
    ("[outputs.y]\nlabel = ['a']", "unknown key 'label' in outputs.y", "labels"),
]


@pytest.mark.parametrize(
    ("text", "message", "hint"), WRONG, ids=[text.split("\n")[-1] for text, _, _ in WRONG]
)
def test_what_cannot_be_is_told_with_its_place_and_value(
    folder: Path, text: str, message: str, hint: str
) -> None:
    with pytest.raises(SignatureError) as refused:
        read(folder, text)
    assert message in refused.value.message
    assert refused.value.hint
    assert hint in refused.value.hint
    assert refused.value.exit_code == 15


def test_a_long_value_is_shortened(folder: Path) -> None:
    with pytest.raises(SignatureError) as refused:
        read(folder, X + f"steps = [{{ scale = {[1] * 500} }}]")
    assert len(refused.value.message) < 250


@pytest.mark.parametrize("text", ["[inputs", "a = 1\na = 2"])
def test_what_is_no_toml_is_told(folder: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"cannot read the declaration .*d\.toml"):
        read(folder, text)


def test_a_file_that_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the declaration"):
        read_declaration(folder / "none.toml", model_file=folder / "m.h5")


def test_a_project_declares_models_by_name(folder: Path) -> None:
    (folder / "packager.toml").write_text(
        "[models.m.inputs.x]\nsteps = [{ rescale = 2 }]\n[models.bad.inputs.x]\nsteps = [{ scale = 2 }]\n"
    )
    found = find_declaration(folder, "m", model_file=folder / "m.h5")
    assert found is not None
    assert found.inputs["x"].steps == (Rescale(rescale=2.0),)
    assert find_declaration(folder, "another", model_file=folder / "m.h5") is None
    with pytest.raises(SignatureError, match=r"models\.bad\.inputs\.x\.steps\[0\] = \{ scale = 2 \}"):
        find_declaration(folder, "bad", model_file=folder / "m.h5")


def test_a_project_file_that_declares_something_else_is_told(folder: Path) -> None:
    assert find_declaration(folder, "m", model_file=folder / "m.h5") is None
    (folder / "packager.toml").write_text("[inputs.x]\n")
    with pytest.raises(SignatureError, match=r"unknown key 'inputs' in packager\.toml") as refused:
        find_declaration(folder, "m", model_file=folder / "m.h5")
    assert refused.value.hint == "the keys are: models"


IMAGES = (None, 8, 8, 3)


@pytest.mark.parametrize(
    ("step", "gives", "takes"),
    [
        (Rescale(rescale=1.0), (IMAGES, "float32"), (IMAGES, "float32")),
        (Resize(resize=(8, 8)), (IMAGES, "float32"), ((None, None, None, 3), "float32")),
        (OneHot(one_hot=3), ((None, 3), "float32"), ((None,), "int64")),
        (Pad(pad=6), ((None, 6, 2), "float32"), ((None, None, 2), "float32")),
        (Vocabulary(vocabulary=("a",)), ((None, 6), "int32"), ((None, 6), "string")),
        (Split(split=6), ((None, 6), "string"), ((None,), "string")),
    ],
)
def test_a_step_tells_what_it_takes(step: Step, gives: object, takes: object) -> None:
    assert step.takes(*gives) == takes  # type: ignore[misc]


@pytest.mark.parametrize(
    ("step", "shape", "dtype", "reason"),
    [
        (Rescale(rescale=1.0), (None, 3), "string", "rescale gives numbers, and text is wanted"),
        (Standardize(mean=(1.0, 2.0)), (None, 3), "float32", "for 2 values, and the last dimension has 3"),
        (Resize(resize=(9, 8)), IMAGES, "float32", "resize gives [9, 8], and [8, 8] is wanted"),
        (Resize(resize=(9, 8)), (None, 3), "float32", "resize is for images"),
        (ColourOrder(colour_order="bgr"), (None, 8, 8, 1), "float32", "for 3 values"),
        (ApplicationMode(keras_applications="caffe"), (None, 8, 8, 1), "float32", "for 3 values"),
        (OneHot(one_hot=4), (None, 3), "float32", "one_hot is for 4 values"),
        (Pad(pad=4), (None, 3), "float32", "pad gives length 4, and [3] is wanted"),
        (Pad(pad=3), (None, 3), "string", "after the vocabulary"),
        (Split(split=4), (None, 3), "string", "split gives 4 words, and 3 are wanted"),
        (Split(split=3), (None, 3), "float32", "a vocabulary has to follow"),
    ],
)
def test_a_step_that_does_not_fit_is_told(
    step: Step, shape: tuple[int | None, ...], dtype: str, reason: str
) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - what it says is compared
        step.takes(shape, dtype)
    assert reason in str(refused.value)
