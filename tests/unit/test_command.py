"""The command as people meet it: help, wrong arguments, what it imports, and errors for programs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from packager.cli import app

VERBS = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
HEAVY = ("tensorflow", "keras", "tf_keras", "docker", "google.protobuf", "pydantic")


def packager(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "packager", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def imported_by(code: str) -> set[str]:
    """Run ``code`` in a fresh interpreter and return the modules that it imported."""
    program = (
        f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nprint('\\n' + ' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("verb", VERBS)
def test_help_teaches_with_an_example(verb: str) -> None:
    done = packager(verb, "--help")
    assert done.returncode == 0
    assert f"Example: packager {verb}" in " ".join(done.stdout.split())


def test_help_lists_every_verb_whole() -> None:
    done = packager("--help")
    for verb in VERBS:
        assert f"\n  {verb} " in done.stdout
    assert "..." not in done.stdout.split("Commands:")[1]


def test_help_imports_nothing_heavy() -> None:
    modules = imported_by("sys.argv = ['packager', '--help']; import packager.cli; packager.cli.main()")
    assert "packager.cli" in modules
    assert not modules & {*HEAVY, "numpy", "h5py", "rich", "requests"}


def test_inspect_imports_neither_tensorflow_nor_docker(small_h5: Path) -> None:
    modules = imported_by(
        f"sys.argv = ['packager', 'inspect', {str(small_h5)!r}]; import packager.cli; packager.cli.main()"
    )
    assert "h5py" in modules
    assert not modules & {*HEAVY, "yaml"}


def test_convert_itself_reads_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    arguments = ["packager", "convert", str(tmp_path / "model.h5"), "--name", "m", "-o", str(tmp_path)]
    modules = imported_by(f"sys.argv = {arguments}; import packager.cli; packager.cli.main()")
    assert "packager.errands" in modules
    assert not modules & {*HEAVY, "numpy", "h5py", "google.protobuf"}


def test_the_library_imports_nothing_heavy() -> None:
    assert not imported_by("import packager; packager.convert; packager.push") & {*HEAVY, "numpy", "h5py"}


def test_no_arguments_show_the_help() -> None:
    done = packager()
    assert "Usage: packager" in done.stdout + done.stderr
    assert done.returncode in (0, 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("convert",), "FILE"),
        (("convert", "x.h5"), "--name"),
        (("no-such-verb",), "no-such-verb"),
        (("inspect", "--no-such-option", "x"), "--no-such-option"),
        (("convert", "x.h5", "--name", "a/b"), "invalid model name 'a/b'"),
        (("convert", "x.h5", "--name", ".."), "invalid model name '..'"),
        (("convert", "x.h5", "--name", "m", "--version", "-1"), "invalid version -1"),
        (("convert", "x.h5", "--name", "m", "--input-name", "x"), "invalid --input-name 'x'"),
        (("build", "models/m", "--tag", "Upper:1"), "invalid image reference"),
        (("build", "models/m", "--tag", "name:"), "invalid image reference 'name:'"),
        (("push", "https://registry/name"), "invalid image reference"),
        (("package", "x.h5", "--name", "m", "--tag", "a b"), "invalid image reference 'a b'"),
        (("smoke", "not a reference"), "invalid image reference"),
        (
            ("map", "x.h5", "--mapping", "m.toml"),
            "--mapping says something of an architecture, and none is named",
        ),
        (("map", "x.h5", "--vocabulary", "a=b"), "--vocabulary says something of an architecture"),
        (("map", "x.h5", "--vocabulary", "a"), "invalid --vocabulary 'a'"),
    ],
)
def test_wrong_usage_is_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    done = packager(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == []


def test_a_programs_error_is_json_on_stdout(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")
    done = packager("inspect", tmp_path / "model.h5", "--json")
    assert done.returncode == 10
    error = json.loads(done.stdout)["error"]
    assert error["exit_code"] == 10
    assert "git-lfs" in error["message"]
    assert error["message"] in done.stderr


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("config.json", "{}")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (zipped(), "zip"),
        (b"not a model at all", "not an HDF5 file"),
    ],
    ids=["empty", "html", "zip", "text"],
)
@pytest.mark.parametrize("verb", [("inspect",), ("convert", "--name", "m")])
def test_what_is_not_hdf5_is_named(tmp_path: Path, verb: tuple[str, ...], content: bytes, words: str) -> None:
    (tmp_path / "model.h5").write_bytes(content)
    done = packager(verb[0], "model.h5", *verb[1:], cwd=tmp_path)
    assert done.returncode == 10, done.stderr
    assert words.lower() in done.stderr.lower()
    assert os.listdir(tmp_path) == ["model.h5"]


def test_a_truncated_file_is_told_with_numbers(small_h5: Path, tmp_path: Path) -> None:
    content = small_h5.read_bytes()
    (tmp_path / "half.h5").write_bytes(content[: len(content) // 2])
    done = packager("convert", "half.h5", "--name", "m", cwd=tmp_path)
    assert done.returncode == 10
    assert f"truncated: {len(content) // 2:,} of {len(content):,} bytes" in done.stderr
    assert os.listdir(tmp_path) == ["half.h5"]


def test_missing_files_and_folders_are_told(tmp_path: Path) -> None:
    assert packager("inspect", "nowhere.h5", cwd=tmp_path).returncode == 10
    assert packager("convert", ".", "--name", "m", cwd=tmp_path).returncode == 10
    done = packager("build", "models/nowhere", "--tag", "x:1", "--engine", "none", cwd=tmp_path)
    assert done.returncode == 24
    assert "models/nowhere" in done.stderr
    assert packager("smoke", "./models/nowhere", cwd=tmp_path).returncode == 24


def test_weights_alone_are_asked_for_their_architecture(tmp_path: Path, weights_h5: Path) -> None:
    done = packager("convert", weights_h5, "--name", "m", cwd=tmp_path)
    assert done.returncode == 11, done.stderr
    assert "weights only" in done.stderr
    assert os.listdir(tmp_path) == []


def test_code_in_a_file_is_refused_before_anything_is_loaded(tmp_path: Path, lambda_h5: Path) -> None:
    done = packager("convert", lambda_h5, "--name", "m", cwd=tmp_path)
    assert done.returncode == 12, done.stderr
    assert "Lambda" in done.stderr or "lambda" in done.stderr
    assert "importing TensorFlow" not in done.stderr
    assert os.listdir(tmp_path) == []


def test_quiet_is_quiet(small_h5: Path) -> None:
    done = packager("inspect", small_h5, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_json_is_all_there_is_on_stdout(small_h5: Path) -> None:
    document = json.loads(packager("inspect", small_h5, "--json").stdout)
    assert document["kind"] == "full-model"
    assert document["parameters"] == 10
    assert document["keras_generation"] == 2


def test_what_to_type_next_is_told(small_h5: Path, lambda_h5: Path, weights_h5: Path, tmp_path: Path) -> None:
    raw, unsafe = tmp_path / "a raw file.h5", tmp_path / "unsafe.h5"
    with h5py.File(raw, "w") as file:
        file["w"] = np.ones((3, 2))
    with h5py.File(unsafe, "w") as file:
        file["w"] = h5py.SoftLink("/")
    steps = {
        small_h5: f"packager convert {small_h5} --name NAME",
        lambda_h5: f"packager convert {lambda_h5} --name NAME --lambda lambda_1=module:function",
        weights_h5: f"packager convert {weights_h5} --name NAME --architecture model.json",
        raw: f"packager map '{raw}'",
        unsafe: "none: the file is refused for its errors",
    }
    for path, step in steps.items():
        assert packager("inspect", path).stdout.splitlines()[-1] == f"  next        {step}"


def test_the_version_is_told() -> None:
    assert packager("--version").stdout.strip()


def test_an_interruption_caught_anywhere_is_exit_code_130(tmp_path: Path) -> None:
    (tmp_path / "interrupted.py").write_text(
        "import packager.cli\n"
        "def app(**_):\n"
        "    try:\n"
        "        exec('raise KeyboardInterrupt')\n"
        "    except KeyboardInterrupt:\n"
        "        raise SystemExit(130)\n"
        "packager.cli.app = app\n"
        "packager.cli.main()\n"
    )
    assert subprocess.run([sys.executable, "-m", "interrupted"], cwd=tmp_path, check=False).returncode == 130
