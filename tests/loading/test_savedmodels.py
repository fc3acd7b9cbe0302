"""SavedModels as a source: taken as they are, or signed anew, and nothing outside of them is touched."""

from __future__ import annotations

import filecmp
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from fixtures_command import Done, Run

import packager as library
from packager.contract import read_contract
from packager.errors import ModelFileError
from packager.progress import Event

pytestmark = pytest.mark.tensorflow

Arrays = Mapping[str, Any]
Source = Callable[[str], tuple[Path, Arrays, Arrays]]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A model of ``make_savedmodels.py`` by name, with a request and its own answer."""
    folder = tmp_path_factory.mktemp("savedmodels")
    maker = Path(__file__).with_name("make_savedmodels.py")
    subprocess.run([sys.executable, maker, folder], check=True, capture_output=True)

    def named(name: str) -> tuple[Path, Arrays, Arrays]:
        with np.load(folder / f"{name}.npz") as arrays:
            inputs = {key[3:]: arrays[key] for key in arrays if key.startswith("in/")}
            outputs = {key[4:]: arrays[key] for key in arrays if key.startswith("out/")}
        return folder / name, inputs, outputs

    return named


def served(folder: Path, inputs: Arrays) -> dict[str, Any]:
    """Serve the converted model by the embedded server, and return what it answers, outputs by name."""
    given = {name: array.astype(str) if array.dtype.kind == "S" else array for name, array in inputs.items()}
    with library.running(folder) as url:
        body = {"inputs": {name: array.tolist() for name, array in given.items()}}
        answer = requests.post(f"{url}:predict", json=body, timeout=30).json()["outputs"]
    return answer if isinstance(answer, dict) else {"": answer}  # one output comes without its name


def expect(answers: Mapping[str, Any], expected: Arrays) -> None:
    names = sorted(expected) if len(expected) > 1 else [""]
    for name, wanted in zip(names, (expected[key] for key in sorted(expected)), strict=True):
        np.testing.assert_allclose(answers[name], wanted, rtol=1e-5, atol=1e-6)


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def listing(folder: Path) -> str:
    """What ``find . -type f | sort | xargs sha256sum | sha256sum`` says in ``folder``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = sorted((path.relative_to(folder).as_posix(), path) for path in files)
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n" for name, path in names)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.mark.parametrize(
    ("name", "keys", "parameters"),
    [
        ("module", ["serving_default", "second"], 15),
        ("keras3", ["serving_default", "serve"], 575),
        ("tf_keras_text", ["serving_default"], 30),
    ],
)
def test_it_is_taken_as_it_is(
    packager: Run, source: Source, tmp_path: Path, name: str, keys: list[str], parameters: int
) -> None:
    folder, inputs, outputs = source(name)
    done = packager("convert", folder, "--name", "m", "--json")
    assert done.code == 0, done.err
    assert done.json["as_it_is"]
    assert done.json["parameters"] == parameters
    assert sum(int(np.prod(b["shape"])) for b in done.json["bindings"]) == parameters
    assert done.json["source_sha256"] == listing(folder)
    assert done.json["parity"] == 0
    made = tmp_path / "models/m/1"
    assert not filecmp.cmpfiles(folder, made, [p for p in files_of(folder) if (folder / p).is_file()], False)[
        1
    ]
    assert set(files_of(folder)) < set(files_of(made))
    contract = read_contract(made)
    assert contract is not None
    assert [signature.key for signature in contract.signatures] == keys
    assert {sample.signature for sample in contract.samples} == set(keys)
    assert {example.signature for example in contract.examples} == set(keys)
    expect(served(made.parent, inputs), outputs)


def test_files_of_tensorflow_1_stay_its_own(packager: Run, source: Source, tmp_path: Path) -> None:
    folder, inputs, outputs = source("asset_of_v1")
    assert packager("convert", folder, "--name", "m").code == 0
    expect(served(tmp_path / "models/m", inputs), outputs)
    anew = packager("convert", folder, "--name", "m", "--input-name", "word=term")
    refused(anew, 15, "'asset_of_v1.txt' in TensorFlow 1's way", "it is taken as it is")


def test_a_folder_that_is_changed_after_it_was_checked_is_not_taken(source: Source, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    shutil.copytree(source("half_plus_two")[0], folder)

    def change(event: Event) -> None:
        if event.text == "loading the SavedModel":
            graph = (folder / "saved_model.pb").read_bytes()
            (folder / "other.pb").write_bytes(graph)
            (folder / "other.pb").replace(folder / "saved_model.pb")

    with pytest.raises(ModelFileError, match="was changed while it was read"):
        library.convert(folder, name="m", output=tmp_path / "models", report=change)
    assert not list((tmp_path / "models").rglob("*"))


def test_what_no_batch_fits_is_served_as_it_is(packager: Run, source: Source, tmp_path: Path) -> None:
    folder, inputs, outputs = source("unbatched")
    done = packager("convert", folder, "--name", "m", "--json")
    assert done.code == 0, done.err
    assert done.json["warnings"] == ["signature 'version' has no recorded request: it takes no input"]
    expect(served(tmp_path / "models/m", inputs), outputs)
    anew = packager("convert", folder, "--name", "m", "--input-name", "x=y")
    refused(anew, 15, "input 'x' of signature 'serving_default' takes any number of dimensions")


def test_each_signature_is_asked_as_it_is_asked_by_clients(
    packager: Run, source: Source, tmp_path: Path
) -> None:
    """Serialized examples for predict too, and no floats where an interface sends examples only."""
    folder, inputs, outputs = source("half_plus_two")
    done = packager("convert", folder, "--name", "m", "--json")
    assert done.code == 0, done.err
    assert done.json["as_it_is"]
    assert done.json["warnings"] == [
        "signature 'floats' has no recorded request: regress sends serialized examples, and it takes "
        "inputs: float32[?, 1]"
    ]
    contract = read_contract(tmp_path / "models/m/1")
    assert contract is not None
    (parsing, *_) = [sample for sample in contract.samples if sample.signature == "parsing"]
    assert parsing.inputs["inputs"].dtype.kind in "OS"
    assert np.isfinite(parsing.outputs["outputs"]).all()
    expect(served(tmp_path / "models/m", inputs), outputs)
    tested = packager("smoke", "models/m", "--json")
    assert tested.code == 0, tested.err
    asked = {(probe["signature"], probe["form"]) for probe in tested.json["probes"]}
    assert {("classify", "grpc"), ("regress", "row"), ("parsing", "columnar")} <= asked


@pytest.mark.parametrize(
    ("name", "options", "renamed"),
    [
        ("tf_keras_text", ("--input-name", "text=words"), {"text": "words"}),
        ("table_of_v1", ("--input-name", "word=term"), {"word": "term"}),
    ],
)
def test_it_is_signed_anew_under_other_names(
    packager: Run,
    source: Source,
    tmp_path: Path,
    name: str,
    options: tuple[str, ...],
    renamed: Mapping[str, str],
) -> None:
    folder, inputs, outputs = source(name)
    done = packager("convert", folder, "--name", "m", *options, "--json")
    assert done.code == 0, done.err
    assert not done.json["as_it_is"]
    (signature,) = done.json["signatures"]
    names = {spec["name"] for spec in (*signature["inputs"], *signature["outputs"])}
    assert names == {renamed.get(each, each) for each in (*inputs, *outputs)}
    answers = served(tmp_path / "models/m", {renamed.get(key, key): value for key, value in inputs.items()})
    expect(answers, {renamed.get(key, key): value for key, value in outputs.items()})


def test_what_training_did_is_put_around_it(packager: Run, source: Source, tmp_path: Path) -> None:
    (tmp_path / "scores.toml").write_text(
        """
        [inputs.image]
        steps = [{ rescale = 0.00392156862745098 }]
        [outputs.output_0]
        name = "scores"
        activation = "softmax"
        labels = ["a", "b", "c", "d", "e"]
        [signatures]
        classify = true
        """,
        encoding="utf-8",
    )
    folder, inputs, outputs = source("keras3")
    done = packager("convert", folder, "--name", "m", "--signature", "scores.toml", "--json")
    assert done.code == 0, done.err
    assert [s["key"] for s in done.json["signatures"]] == ["serving_default", "bytes", "classify"]
    assert (
        "signature 'serve' of the source is left out: 'serving_default' is signed anew"
        in done.json["warnings"]
    )
    pixels = {"image": inputs["image"] * 255}
    logits = np.exp(outputs["output_0"])
    answers = served(tmp_path / "models/m", pixels)
    np.testing.assert_allclose(answers["scores"], logits / logits.sum(-1, keepdims=True), rtol=1e-4)


def test_golden_outputs_and_own_requests(packager: Run, source: Source, tmp_path: Path) -> None:
    folder, inputs, outputs = source("keras3")
    sides = (("inputs", inputs), ("outputs", outputs))
    golden = {f"{side}/{key}": array for side, of in sides for key, array in of.items()}
    np.savez(tmp_path / "golden.npz", **golden)
    np.savez(tmp_path / "own.npz", **inputs)
    given = ("--golden", "golden.npz", "--samples", "own.npz")
    done = packager("convert", folder, "--name", "m", *given, "--json")
    assert done.code == 0, done.err
    assert done.json["golden"] < 1e-5
    contract = read_contract(tmp_path / "models/m/1")
    assert contract is not None
    recorded = [s for s in contract.samples if s.signature == "serving_default" and s.batch == 2]
    np.testing.assert_array_equal(recorded[-1].inputs["image"], inputs["image"])
    golden["outputs/output_0"] = golden["outputs/output_0"] + 1
    np.savez(tmp_path / "golden.npz", **golden)
    assert packager("convert", folder, "--name", "n", "--golden", "golden.npz").code == 18


def refused(done: Done, code: int, *said: str) -> None:
    assert done.code == code, done.err
    for text in said:
        assert text in done.err


def test_one_that_writes_files_is_refused_before_anything_runs(
    packager: Run, source: Source, tmp_path: Path
) -> None:
    folder, _, _ = source("writes")
    done = packager("convert", folder, "--name", "m")
    refused(done, 12, "operation 'WriteFile': it reads or writes files", "SM-FILE-OP")
    assert not folder.with_suffix(".written").exists()
    assert not (tmp_path / "models").exists()
    told = packager("inspect", folder, "--sarif", "found.sarif", "--json")
    assert [finding["rule"] for finding in told.json["findings"]] == ["SM-FILE-OP"]
    (run,) = json.loads((tmp_path / "found.sarif").read_text())["runs"]
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "SM-FILE-OP"


def test_one_that_calls_python_is_refused(packager: Run, source: Source) -> None:
    refused(packager("convert", source("calls_python")[0], "--name", "m"), 12, "it calls Python code")


def test_what_cannot_be_signed_anew_says_so(packager: Run, source: Source, tmp_path: Path) -> None:
    folder, _, _ = source("half_plus_two")
    refused(
        packager("convert", folder, "--name", "m", "--input-name", "q=r"),
        15,
        "no input named 'q'",
        "inputs are: x",
    )
    done = packager("convert", folder, "--name", "m", "--architecture", "model.json")
    refused(done, 2, "is a SavedModel: it lacks no architecture")
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    shutil.rmtree(broken / "variables")
    refused(packager("convert", broken, "--name", "m"), 10, "no variables/variables.index")


def test_a_link_is_refused_for_what_it_may_stand_for(packager: Run, source: Source, tmp_path: Path) -> None:
    folder, _, _ = source("keras3")
    linked = tmp_path / "linked"
    shutil.copytree(folder, linked)
    index = linked / "variables" / "variables.index"
    index.unlink()
    index.symlink_to(folder / "variables" / "variables.index")
    refused(packager("convert", linked, "--name", "m"), 12, "SM-LINK", "cp -rL")


def test_damaged_variables_are_an_error_of_the_source(packager: Run, source: Source, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(source("keras3")[0], damaged)
    (data,) = (damaged / "variables").glob("variables.data*")
    data.write_bytes(data.read_bytes()[:100])
    done = packager("convert", damaged, "--name", "m")
    refused(done, 13, "cannot load", "a server may all the same")
    assert not (tmp_path / "models").exists()
