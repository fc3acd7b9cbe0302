"""``packager convert``: real files in, SavedModels out that answer as the model did before it was saved."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures_command import Run, SourceModel

from packager import convert
from packager.contract import read_contract
from packager.errors import ModelFileError
from packager.progress import Event

pytestmark = pytest.mark.tensorflow

MODELS = [
    "keras3_digits",
    "keras2_digits",
    "keras3_many",
    "keras2_many",
    "keras2_text",
    "keras3_text",
    "keras3_nested",
    "keras3_named_inputs",
]


def ask(version_folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """Ask a SavedModel the way TensorFlow loads it, by its published input names."""
    import tensorflow as tf

    serve = tf.saved_model.load(str(version_folder)).signatures["serving_default"]
    contract = read_contract(version_folder)
    assert contract is not None
    dtypes = {spec.name: spec.dtype for spec in contract.signatures[0].inputs}
    given = {name: tf.cast(value, dtypes[name]) for name, value in inputs.items()}
    return {name: value.numpy() for name, value in serve(**given).items()}


@pytest.mark.parametrize("name", MODELS)
def test_a_converted_model_answers_as_its_source(
    packager: Run, h5_models: Callable[[str], SourceModel], tmp_path: Path, name: str
) -> None:
    source = h5_models(name)
    done = packager("convert", source.path, "--name", "m", "--json")
    assert done.code == 0, done.err
    result = done.json
    assert result["servable"]["path"] == "models/m/1"
    assert result["parity"] <= 1e-5
    assert {binding["transform"] for binding in result["bindings"]} == {"copy"}
    (signature,) = result["signatures"]
    assert signature["key"] == "serving_default"
    assert [spec["name"] for spec in signature["inputs"]] == sorted(
        source.inputs, key=list(source.inputs).index
    )
    assert all(spec["shape"][0] is None for spec in signature["inputs"] + signature["outputs"])
    answers = ask(tmp_path / "models/m/1", dict(source.inputs))
    for spec, expected in zip(signature["outputs"], source.outputs, strict=True):
        np.testing.assert_allclose(answers[spec["name"]], expected, rtol=1e-5, atol=1e-5)


def test_weights_are_stored_once_and_nothing_else_is(
    packager: Run, h5_models: Callable[[str], SourceModel], tmp_path: Path
) -> None:
    done = packager("convert", h5_models("keras3_digits").path, "--name", "m", "--json")
    folder = tmp_path / "models/m/1"
    data = sum(file.stat().st_size for file in (folder / "variables").glob("*.data*"))
    weights = 4 * done.json["parameters"]
    assert weights <= data <= weights + 2048  # the object graph is a tensor of its own


@pytest.mark.parametrize("name", ["keras2_text", "keras3_many"])
def test_the_same_file_gives_the_same_bytes(
    packager: Run, h5_models: Callable[[str], SourceModel], tmp_path: Path, name: str
) -> None:
    """A recurrent layer of tf_keras names itself at random; inputs with spaces are renamed afterwards."""
    for output, seed in (("a", "1"), ("b", "2")):
        done = packager(
            *("convert", h5_models(name).path, "--name", "m", "--output", output), PYTHONHASHSEED=seed
        )
        assert done.code == 0, done.err
    first, second = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert first == second
    assert Path("m/1/fingerprint.pb") in first


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="no processors can be kept from a process here"
)
def test_how_many_processors_there_are_does_not_show(
    packager: Run, h5_models: Callable[[str], SourceModel], tmp_path: Path
) -> None:
    source, processors = h5_models("keras3_sums").path, os.sched_getaffinity(0)
    assert packager("convert", source, "--name", "m", "--output", "all").code == 0
    try:
        os.sched_setaffinity(0, {min(processors)})
        assert packager("convert", source, "--name", "m", "--output", "one").code == 0
    finally:
        os.sched_setaffinity(0, processors)
    assert contents(tmp_path / "all") == contents(tmp_path / "one")


def contents(folder: Path) -> dict[Path, bytes]:
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_names_are_published_as_asked(
    packager: Run, h5_models: Callable[[str], SourceModel], tmp_path: Path
) -> None:
    source = h5_models("keras3_many")
    renames = ("--input-name", "left eye=l/1", "--input-name", "right:eye=0", "--output-name", "9lives=score")
    done = packager("convert", source.path, "--name", "m", "--json", *renames)
    (signature,) = done.json["signatures"]
    assert [spec["name"] for spec in signature["inputs"]] == ["l/1", "0"]
    assert [spec["name"] for spec in signature["outputs"]] == ["where to", "score"]
    left, right = source.inputs.values()
    answers = ask(tmp_path / "models/m/1", {"l/1": left, "0": right})
    np.testing.assert_allclose(answers["score"], source.outputs[1], rtol=1e-5, atol=1e-5)


def test_answers_are_recorded_with_distinct_data_for_each_input(
    packager: Run, h5_models: Callable[[str], SourceModel], tmp_path: Path
) -> None:
    packager("convert", h5_models("keras2_many").path, "--name", "m")
    contract = read_contract(tmp_path / "models/m/1")
    assert contract is not None
    assert [sample.batch for sample in contract.samples] == [1, 2, 3]
    for sample in contract.samples:
        assert not np.allclose(sample.inputs["left"], sample.inputs["right"])
        answers = ask(tmp_path / "models/m/1", dict(sample.inputs))
        np.testing.assert_allclose(answers["where"], sample.outputs["where"], rtol=1e-5, atol=1e-5)


def test_versions_and_force(packager: Run, h5_models: Callable[[str], SourceModel], tmp_path: Path) -> None:
    path = h5_models("keras2_digits").path
    assert packager("convert", path, "--name", "m", "--version", 5, "-q").code == 0
    refused = packager("convert", path, "--name", "m", "--version", 5)
    assert refused.code == 17
    assert "version 5 exists already" in refused.err
    assert "--force" in refused.err
    before = (tmp_path / "models/m/5").stat().st_ino
    assert packager("convert", path, "--name", "m", "--version", 5, "--force").code == 0
    assert (tmp_path / "models/m/5").stat().st_ino != before
    assert os.listdir(tmp_path / "models/m") == ["5"]


def test_people_see_what_was_made(packager: Run, h5_models: Callable[[str], SourceModel]) -> None:
    done = packager("convert", h5_models("keras2_many").path, "--name", "m")
    assert "models/m/1" in done.out
    assert "left: float32[?, 3]" in done.out
    assert "lives: float32[?, 1]" in done.out
    assert "rebuilding the model" in done.err
    assert "rebuilding" not in done.out


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", ["importing TensorFlow", "tracing the model", "writing the SavedModel"])
def test_an_interruption_leaves_nothing(
    command: list[str],
    h5_models: Callable[[str], SourceModel],
    tmp_path: Path,
    how: signal.Signals,
    step: str,
) -> None:
    process = subprocess.Popen(
        [*command, "convert", h5_models("keras3_digits").path, "--name", "m"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    seen = next(line for line in process.stderr if step in line)
    process.send_signal(how)
    assert process.wait(timeout=30) == 128 + how, seen
    assert "nothing half-made was left behind" in process.stderr.read()
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_told_and_leaves_nothing(
    packager: Run, h5_models: Callable[[str], SourceModel], tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", small], check=False)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        done = packager(
            "convert", h5_models("keras3_digits").path, "--name", "m", "--output", small / "models"
        )
        assert done.code in (14, 16), done.err
        assert "no space left on device" in done.err.lower()
        assert os.listdir(small) == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_the_process_that_loads_the_model_ends_with_the_command(
    command: list[str], h5_models: Callable[[str], SourceModel], tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [*command, "convert", h5_models("keras3_digits").path, "--name", "m"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    next(line for line in process.stderr if "importing TensorFlow" in line)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    children = f"{process.pid}"
    while time.monotonic() < deadline and children in _parents():
        time.sleep(0.1)
    assert children not in _parents()
    assert packager_work_folders(tmp_path), "a killed command cannot clean up, the next one does"


def packager_work_folders(folder: Path) -> list[Path]:
    return list(folder.glob("models/m/.*"))


def _parents() -> set[str]:
    """The parents of all processes that run packager's child."""
    parents = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents.add(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return parents


def test_a_version_is_verified_by_making_it_again(
    packager: Run, h5_models: Callable[[str], SourceModel], tmp_path: Path
) -> None:
    source = h5_models("keras2_many").path
    renamed = ("--input-name", "left=l")
    assert packager("convert", source, "--name", "m", *renamed).code == 0
    same = packager("convert", source, "--name", "m", "--verify", "models/m/1", *renamed, "--json")
    assert same.code == 0, same.err
    assert same.json["files"] >= 5
    other = packager("convert", source, "--name", "m", "--verify", "models/m/1")
    assert other.code == 50
    assert "saved_model.pb: other bytes" in other.err
    assert os.listdir(tmp_path / "models/m") == ["1"]
    assert packager("convert", source, "--name", "m", "--verify", "models/m/7").code == 24


def test_a_file_that_is_changed_after_it_was_checked_is_not_converted(
    h5_models: Callable[[str], SourceModel], tmp_path: Path
) -> None:
    path = tmp_path / "m.h5"
    path.write_bytes(h5_models("keras3_nested").path.read_bytes())

    def replace(event: Event) -> None:
        if event.text == "rebuilding the model":
            (tmp_path / "other.h5").write_bytes(path.read_bytes())
            (tmp_path / "other.h5").replace(path)

    with pytest.raises(ModelFileError, match="was changed while it was read"):
        convert(path, name="m", output=tmp_path / "models", report=replace)
    assert not list((tmp_path / "models").rglob("*"))
