"""``.keras`` archives: what is told of a good one, and what no archive can do."""

from __future__ import annotations

import io
import json
import stat
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from packager.archive import unpack
from packager.errors import ModelFileError, UnsafeFileError
from packager.h5 import admit, inspect_file
from packager.values import NOTHING_SUPPLIED, FileKind, Supplied

Members = dict[str, bytes]


def config(*layers: dict[str, Any], **more: Any) -> bytes:
    first = {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"batch_shape": [None, 3], "dtype": "float32", "name": "image"},
        "registered_name": None,
    }
    model = {"name": "digits", "layers": [first, *layers]}
    return json.dumps({"module": "keras", "class_name": "Sequential", "config": model, **more}).encode()


def layer(class_name: str, **arguments: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": class_name, "config": arguments, "registered_name": None}


DENSE = layer("Dense", name="scores", units=2)


def weights(change: Callable[[h5py.File], object] = lambda _: None) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        held = file.create_group("layers/dense/vars")
        held.attrs["name"] = "scores"
        held["0"], held["1"] = np.ones((3, 2), "f4"), np.zeros(2, "f4")
        change(file)
    return buffer.getvalue()


def members(**changed: bytes) -> Members:
    return {
        "metadata.json": changed.get("metadata", b'{"keras_version": "3.10.0"}'),
        "config.json": changed.get("config", config(DENSE)),
        "model.weights.h5": changed.get("weights", weights()),
    }


def write(path: Path, held: Members, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in held.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "digits.keras"


def test_it_is_told_what_an_archive_holds(path: Path) -> None:
    found = inspect_file(write(path, members()))
    assert (found.kind, found.keras_version, found.model_class) == (
        FileKind.ARCHIVE,
        "3.10.0",
        "Sequential",
    )
    assert [(each.name, each.class_name, each.parameters) for each in found.layers] == [
        ("scores", "Dense", 8)
    ]
    assert [str(spec) for spec in found.inputs] == ["image: float32[?, 3]"]
    assert not found.findings


def test_what_would_compile_the_model_is_never_loaded(path: Path) -> None:
    compiling = {"loss": {"module": "os", "class_name": "function", "config": "system"}}
    write(path, members(config=config(DENSE, compile_config=compiling)))
    inspection, architecture = admit(path, NOTHING_SUPPLIED)
    assert architecture is not None
    assert "compile_config" not in architecture
    assert not inspection.errors


def test_a_lambda_is_refused_and_can_be_replaced(path: Path) -> None:
    code = {"class_name": "__lambda__", "config": {"code": "4wEA", "defaults": None, "closure": None}}
    write(path, members(config=config(layer("Lambda", name="crop", function=code), DENSE)))
    with pytest.raises(UnsafeFileError, match="layer 'crop' holds") as refused:
        admit(path, NOTHING_SUPPLIED)
    assert refused.value.hint == "--lambda crop=module:function"
    _, architecture = admit(path, Supplied(lambdas=(("crop", "mine:crop"),)))
    assert "4wEA" not in json.dumps(architecture)
    assert "lambda:crop" in json.dumps(architecture)


def test_a_class_of_another_module_has_to_be_supplied(path: Path) -> None:
    own = {
        "module": "mine",
        "class_name": "Scale",
        "config": {"name": "scale"},
        "registered_name": "mine>Scale",
    }
    write(path, members(config=config(own, DENSE)))
    with pytest.raises(UnsafeFileError, match="would be imported from outside Keras"):
        admit(path, NOTHING_SUPPLIED)
    inspection, _ = admit(path, Supplied(custom_objects=("mine.py",)))
    assert inspection.custom_classes == ("mine>Scale",)


def test_the_weights_are_held_to_the_rules_of_every_file(path: Path) -> None:
    outside = weights(lambda file: file.__setitem__("passwords", h5py.ExternalLink("/etc/passwd", "/")))
    assert [each.rule for each in inspect_file(write(path, members(weights=outside))).errors] == [
        "H5-EXTERNAL-LINK"
    ]


def test_an_archive_of_keras_2_is_let_through_without_what_training_counted(path: Path) -> None:
    counted = weights(lambda file: file.__setitem__("metrics/mean/vars/0", 1.0))
    write(path, members(metadata=b'{"keras_version": "2.15.0"}', weights=counted))
    inspection, _ = admit(path, NOTHING_SUPPLIED)
    assert inspection.keras_generation == 2
    assert not [w.path for layer in inspection.layers for w in layer.weights if "metrics" in w.path]


def test_vocabularies_are_unpacked_under_names_of_ours(path: Path, tmp_path: Path) -> None:
    member = "assets/layers/text_vectorization/vocabulary.txt"
    (tmp_path / "out").mkdir()
    found = unpack(write(path, {**members(), member: b"one\ntwo"}), tmp_path / "out")
    assert {group: file.read_text() for group, file in found.vocabularies.items()} == {
        "layers/text_vectorization": "one\ntwo"
    }
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"model.weights.h5", "vocabulary-0.txt"}


def without(name: str) -> Callable[[Path], object]:
    return lambda path: write(path, {key: data for key, data in members().items() if key != name})


def with_member(name: str, mode: int = 0o644) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        write(path, members())
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(entry, b"/etc/passwd")

    return make


def bomb(name: str, size: int) -> Callable[[Path], object]:
    return lambda path: write(path, {**members(), name: bytes(size)}, zipfile.ZIP_DEFLATED)


def declaring_less(path: Path) -> None:
    """Write an archive whose weights are of more bytes than its directory says."""
    data = write(path, {**members(), "model.weights.h5": bytes(200_000)}, zipfile.ZIP_DEFLATED).read_bytes()
    path.write_bytes(data.replace((200_000).to_bytes(4, "little"), (2_000).to_bytes(4, "little")))


def of_many_members(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(10_001):
            archive.writestr(str(number), b"")


def twice(path: Path) -> None:
    write(path, members())
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", config())


def cut(path: Path) -> None:
    path.write_bytes(write(path, members()).read_bytes()[:-100])


def damaged(path: Path) -> None:
    data = bytearray(write(path, members()).read_bytes())
    place = data.index(b"\x89HDF") + 900
    data[place] ^= 0xFF
    path.write_bytes(bytes(data))


HOSTILE: dict[str, tuple[Callable[[Path], object], type[ModelFileError], str]] = {
    "no config": (without("config.json"), ModelFileError, "has no config.json"),
    "no weights": (without("model.weights.h5"), ModelFileError, "has no model.weights.h5"),
    "no metadata": (without("metadata.json"), ModelFileError, "has no metadata.json"),
    "another zip": (lambda path: write(path, {"a.txt": b""}), ModelFileError, "is a zip archive"),
    "no zip": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(99)), ModelFileError, "damaged zip"),
    "cut": (cut, ModelFileError, "damaged zip"),
    "damaged": (damaged, ModelFileError, "damaged zip archive: bad crc-32"),
    "no HDF5": (
        lambda path: write(path, members(weights=b"no HDF5")),
        ModelFileError,
        r"model\.weights\.h5 in '.*digits\.keras' is not an HDF5 file",
    ),
    "no JSON": (lambda path: write(path, members(config=b"{")), UnsafeFileError, "config.json is not JSON"),
    "outside": (with_member("../../evil.py"), UnsafeFileError, "would be written outside"),
    "absolute": (with_member("/etc/evil"), UnsafeFileError, "would be written outside"),
    "drive": (with_member("C:\\evil"), UnsafeFileError, "would be written outside"),
    "link": (with_member("assets/x", stat.S_IFLNK | 0o777), UnsafeFileError, "is a link"),
    "twice": (twice, UnsafeFileError, "2 members of the name 'config.json'"),
    "many": (of_many_members, UnsafeFileError, "10,001 members"),
    "bomb": (bomb("model.weights.h5", 80 << 20), UnsafeFileError, "would fill 83,886,080 bytes"),
    "config bomb": (bomb("config.json", 40 << 20), UnsafeFileError, "at most 33,554,432 are read"),
    "vocabulary bomb": (bomb("assets/a/vocabulary.txt", 80 << 20), UnsafeFileError, "would fill"),
    "declares less": (declaring_less, ModelFileError, "damaged zip archive"),
    "packed by LZMA": (
        lambda path: write(path, members(), zipfile.ZIP_LZMA),
        ModelFileError,
        "compressed in a way that Keras never uses",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_an_error(path: Path, kind: str) -> None:
    make, error, message = HOSTILE[kind]
    make(path)
    began = time.perf_counter()
    with pytest.raises(error, match=message) as refused:
        admit(path, NOTHING_SUPPLIED)
    assert time.perf_counter() - began < 2
    assert refused.value.exit_code in (10, 12)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
