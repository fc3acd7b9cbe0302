"""Models that other tools rebuild wrongly, or not at all: here they answer what they answered when saved."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from fixtures_command import Run
from loads import HERE, KERAS2, in_child
from recorded import Comparison, compare_all

from packager.values import Supplied

pytestmark = pytest.mark.tensorflow

NAMES = [
    "operations",
    "compiled",
    "nested",
    "recurrent",
    "attention",
    "steps",
    "normalized",
    "mixed_precision",
    "channels_first",
    "channels_first_1d",
    "custom_activation",
    "words_given",
    "lookups",
    "no_weights",
]
SQUASH = "import tensorflow as tf\n\n\ndef squash(x):\n    return x / (1 + tf.abs(x))\n"
Compared = Callable[[str, str], dict[str, Comparison]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the models of either library."""
    folder = tmp_path_factory.mktemp("traps")
    (folder / "activation.py").write_text(SQUASH)
    for library in ("keras", "tf_keras"):
        (folder / library).mkdir()
        subprocess.run(
            [sys.executable, HERE / "make_traps.py", library, folder / library],
            env={**os.environ, "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": ""},
            check=True,
            capture_output=True,
        )
    return folder


@pytest.fixture(scope="module")
def compared(folder: Path) -> Compared:
    known: dict[str, dict[str, Comparison]] = {}
    supplied = Supplied(custom_objects=(str(folder / "activation.py"),))

    def of(library: str, suffix: str) -> dict[str, Comparison]:
        key = library + suffix
        if key not in known:
            paths = [folder / library / f"{name}{suffix}" for name in NAMES]
            environment = KERAS2 if library == "tf_keras" else {}
            found = in_child(compare_all, paths, supplied, environment=environment)
            known[key] = dict(zip(NAMES, found, strict=True))
        return known[key]

    return of


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("library", "suffix"),
    [("keras", ".h5"), ("keras", ".keras"), ("tf_keras", ".h5"), ("tf_keras", ".keras")],
)
def test_it_answers_as_when_it_was_saved(compared: Compared, library: str, suffix: str, name: str) -> None:
    found = compared(library, suffix)[name]
    assert found.error is None, f"{found.error}: {found.error.details}"
    assert found.difference < (2e-3 if name == "mixed_precision" else 1e-5)


def test_a_lost_vocabulary_is_asked_for(folder: Path, tmp_path: Path) -> None:
    def load(vocabulary: Path | None) -> Comparison:
        given = () if vocabulary is None else (("words", vocabulary),)
        (found,) = in_child(compare_all, [folder / "keras" / "words_lost.h5"], Supplied(vocabularies=given))
        return found

    lost = load(None).error
    assert lost is not None
    assert lost.message.startswith("layer 'words' has lost its vocabulary of 7 entries")
    assert lost.hint.startswith("--vocabulary words=FILE")
    assert load(folder / "keras" / "words.txt").difference < 1e-6
    (tmp_path / "short.txt").write_text("\n[UNK]\none\n")
    short = load(tmp_path / "short.txt").error
    assert short is not None
    assert "has 3 entries, and the layer had 7" in short.message


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_an_archive_keeps_the_vocabulary(folder: Path, library: str) -> None:
    environment = KERAS2 if library == "tf_keras" else {}
    (found,) = in_child(
        compare_all, [folder / library / "words_lost.keras"], Supplied(), environment=environment
    )
    assert found.error is None, f"{found.error}: {found.error.details}"
    assert found.difference < 1e-6


def test_an_archive_of_an_older_tf_keras(folder: Path, tmp_path: Path) -> None:
    """Its modules are below ``keras``, its layers in a folder of another name, and metrics in a third."""
    path = tmp_path / "nested.keras"
    shutil.copy(folder / "tf_keras" / "nested.npz", tmp_path)
    with zipfile.ZipFile(folder / "tf_keras" / "nested.keras") as new, zipfile.ZipFile(path, "w") as old:
        config = new.read("config.json").decode()
        assert "tf_keras.src.engine" in config
        old.writestr("config.json", config.replace("tf_keras.src.", "keras."))
        old.writestr("metadata.json", '{"keras_version": "2.12.0"}')
        new.extract("model.weights.h5", tmp_path)
        with h5py.File(tmp_path / "model.weights.h5", "r+") as weights:
            weights.move("layers", "_layer_checkpoint_dependencies")
            weights["metrics/mean/vars/0"] = 1.0
        old.write(tmp_path / "model.weights.h5", "model.weights.h5")
    (found,) = in_child(compare_all, [path], Supplied(), environment=KERAS2)
    assert found.error is None, f"{found.error}: {found.error.details}"
    assert found.difference < 1e-6


def test_a_mapping_for_layers_with_a_vocabulary(packager: Run, folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(folder / "keras" / "words_lost.keras") as archive:
        archive.extract("model.weights.h5", tmp_path)
        archive.extract("config.json", tmp_path)
    supplied = ("--architecture", "config.json", "--vocabulary", f"words={folder / 'keras' / 'words.txt'}")
    mapped = packager("map", "model.weights.h5", *supplied, "-o", "mapping.toml")
    assert mapped.code == 0, mapped.err
    assert '"embedding' in (tmp_path / "mapping.toml").read_text()
    wrong = packager(
        "map", "model.weights.h5", "--architecture", "config.json", "--vocabulary", "nobody=x.txt"
    )
    assert wrong.code == 2
    assert "no layer 'nobody' lacks a vocabulary" in wrong.err
    with np.load(folder / "keras" / "words_lost.npz", allow_pickle=True) as arrays:
        golden = {"inputs/text": arrays["in/0"].astype("S"), "outputs/dense": arrays["out/0"]}
    np.savez(tmp_path / "golden.npz", **golden)
    checked = (*supplied, "--mapping", "mapping.toml", "--golden", "golden.npz")
    done = packager("convert", "model.weights.h5", "--name", "m", *checked)
    assert done.code == 0, done.err


def test_an_archive_of_no_graph_is_named(folder: Path, tmp_path: Path) -> None:
    layer = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 2}, "registered_name": None}
    held = {"metadata.json": '{"keras_version": "3.10.0"}', "config.json": json.dumps(layer)}
    with (
        zipfile.ZipFile(folder / "keras" / "nested.keras") as good,
        zipfile.ZipFile(tmp_path / "layer.keras", "w") as archive,
    ):
        for name, text in held.items():
            archive.writestr(name, text)
        archive.writestr("model.weights.h5", good.read("model.weights.h5"))
    (found,) = in_child(compare_all, [tmp_path / "layer.keras"], Supplied())
    assert found.error is not None
    assert found.error.message.startswith("the archive holds a 'Dense', which is no graph of layers")


def test_a_function_of_the_user_is_asked_for(folder: Path) -> None:
    (found,) = in_child(compare_all, [folder / "keras" / "custom_activation.h5"], Supplied())
    assert found.error is not None
    assert "squash" in found.error.message
    assert "--custom-objects" in found.error.hint
