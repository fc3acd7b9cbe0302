"""A short run of ``scripts/fuzz``, and that it would tell what it looks for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from packager import pipeline
from packager.errors import ModelFileError

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPTS / "fuzz.py", *arguments, "--keep", folder / "kept"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_changed_files_are_inspected_without_a_failure(tmp_path: Path) -> None:
    done = run(tmp_path, "--inspect", "250", "--seed", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(re.findall(r"(\w+): (\d+) files", done.stdout))
    assert counts == {"inspect": "250", "convert": "0"}
    assert "passed as full-model" in done.stdout
    assert "passed as keras-archive" in done.stdout
    assert "refused" in done.stdout
    assert not (tmp_path / "kept").exists()


@pytest.mark.tensorflow
def test_changed_files_are_converted_without_a_failure(tmp_path: Path) -> None:
    done = run(tmp_path, "--convert", "6", "--seed", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "convert: 6 files" in done.stdout
    assert "converted" in done.stdout


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import fuzz

    return fuzz


def test_the_same_seed_makes_the_same_files(tmp_path: Path, fuzz: object) -> None:
    seeds = fuzz.write_seeds(tmp_path)  # type: ignore[attr-defined]
    assert len(seeds) == 15
    contents = []
    for again in range(2):
        for number in range(20):
            fuzz.make_file(number, 5, seeds, tmp_path / f"{again}-{number}")  # type: ignore[attr-defined]
        contents.append([(tmp_path / f"{again}-{number}").read_bytes() for number in range(20)])
    for first, second in zip(*contents, strict=True):
        assert len(first) == len(second)
        differing = sum(a != b for a, b in zip(first, second, strict=True))
        assert differing < 64  # the times in object headers, and the checksums over them
    assert len(set(contents[0])) > 15


def test_a_bug_a_slow_file_and_an_error_are_told_apart(
    tmp_path: Path, fuzz: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outcome(function: object) -> tuple[str, str]:
        monkeypatch.setattr(pipeline, "inspect", function)
        return fuzz.inspect_once(tmp_path / "case.h5")  # type: ignore[attr-defined,no-any-return]

    def bug(*_: object, **__: object) -> None:
        raise RuntimeError("of packager's own")

    def slow(*_: object, **__: object) -> None:
        monkeypatch.setattr(fuzz, "CPU_SECONDS", -1.0)
        raise ModelFileError("'case.h5' is damaged")

    assert outcome(bug)[0] == "traceback"
    assert outcome(slow)[0] == "exit 10"
    assert "of processor time" in outcome(slow)[1]


def test_a_worker_that_dies_is_told_and_the_rest_is_inspected(
    tmp_path: Path, fuzz: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker here is one that says it begins with a file, and ends."""
    lines = iter([["0\texit 10", "1"], ["2\texit 10"]])

    def worker(given: object, first: int, end: int, folder: Path) -> list[str]:
        (folder / "case.h5").write_bytes(b"the file at hand")
        return next(lines)

    monkeypatch.setattr(fuzz, "worker_lines", worker)
    monkeypatch.chdir(tmp_path)
    tally = fuzz.Tally()  # type: ignore[attr-defined]
    given = fuzz.argparse.Namespace(seed=9, keep=tmp_path / "kept")  # type: ignore[attr-defined]
    fuzz.supervise(given, 0, 3, tally)  # type: ignore[attr-defined]
    assert tally.outcomes == {"exit 10": 2, "parent crashed": 1}
    assert (tmp_path / "kept" / "inspect-9-1.h5").read_bytes() == b"the file at hand"
