"""Version folders appear whole, under their number, or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from packager.errors import OutputError, UsageError, VersionExistsError
from packager.savedmodel import new_version, version_folders, versions
from packager.values import ServableVersion


def make(output: Path, text: str = "model", **options: object) -> ServableVersion:
    with new_version(output, "digits", **options) as slot:  # type: ignore[arg-type]
        (slot.work / "saved_model.pb").write_text(text)
        return slot.publish()


def test_versions_count_up_from_one(tmp_path: Path) -> None:
    assert [make(tmp_path).version for _ in range(3)] == [1, 2, 3]
    assert list(version_folders(tmp_path / "digits")) == [1, 2, 3]


def test_the_next_version_follows_the_highest_not_the_first_gap(tmp_path: Path) -> None:
    make(tmp_path, version=7)
    assert make(tmp_path).version == 8


def test_a_version_that_exists_is_refused_before_any_work(tmp_path: Path) -> None:
    make(tmp_path, "old", version=1)
    with (
        pytest.raises(VersionExistsError, match="version 1 exists already"),
        new_version(tmp_path, "digits", version=1),
    ):
        pytest.fail("the body must not run")
    assert (tmp_path / "digits/1/saved_model.pb").read_text() == "old"


def test_a_version_taken_in_the_meantime_is_not_overwritten(tmp_path: Path) -> None:
    with new_version(tmp_path, "digits", version=1) as slot:
        make(tmp_path, "theirs", version=1)
        with pytest.raises(VersionExistsError):
            slot.publish()
    assert (tmp_path / "digits/1/saved_model.pb").read_text() == "theirs"


def test_force_replaces_in_one_step(tmp_path: Path) -> None:
    make(tmp_path, "old", version=1)
    seen: set[str] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            try:
                seen.add((tmp_path / "digits/1/saved_model.pb").read_text())
            except FileNotFoundError:
                seen.add("missing")

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(50):
        make(tmp_path, "new", version=1, replace=True)
    stop.set()
    watcher.join()
    assert seen <= {"old", "new"}
    assert sorted(os.listdir(tmp_path / "digits")) == ["1"]


def test_force_replaces_where_the_system_has_no_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_renameat2", lambda *_: False)  # as on macOS and some network file systems
    make(tmp_path, "old", version=1)
    make(tmp_path, "new", version=1, replace=True)
    assert (tmp_path / "digits/1/saved_model.pb").read_text() == "new"
    assert sorted(os.listdir(tmp_path / "digits")) == ["1"]
    assert make(tmp_path).version == 2
    with new_version(tmp_path, "digits", version=3) as slot:
        make(tmp_path, version=3)
        with pytest.raises(VersionExistsError):
            slot.publish()


def test_a_failure_leaves_nothing_not_even_folders(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_version(tmp_path / "a" / "b", "digits") as slot:
        (slot.work / "half").write_text("half")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_a_folder_that_was_there_stays(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(KeyboardInterrupt), new_version(tmp_path, "digits"):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path / "digits") == ["1"]


def test_what_a_killed_run_left_is_removed_and_what_a_running_one_makes_is_not(tmp_path: Path) -> None:
    script = (
        "import sys, os, pathlib; from packager.savedmodel import new_version\n"
        "with new_version(pathlib.Path(sys.argv[1]), 'digits') as slot:\n"
        "    (slot.work / 'half').write_text('x'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert len(os.listdir(tmp_path / "digits")) == 1
    with new_version(tmp_path, "digits") as slot:
        make(tmp_path)
        assert slot.work.is_dir()
    assert os.listdir(tmp_path / "digits") == ["1"]


def test_two_runs_at_once_get_two_versions(tmp_path: Path) -> None:
    made: list[int] = []
    threads = [threading.Thread(target=lambda: made.append(make(tmp_path).version)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == list(range(1, 9))


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(OutputError, match="cannot write") as caught:
        make(tmp_path / "models")
    assert "--output" in (caught.value.hint or "")


def test_an_unwritable_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write '/proc/nowhere/digits'"):
        make(Path("/proc/nowhere"))


@pytest.mark.parametrize("name", ["a/b", "..", ".", "", "a:b", "-x", "x" * 200, "a b", "é"])
def test_names_that_cannot_be_served_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="invalid model name"), new_version(tmp_path, name):
        pytest.fail("the body must not run")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("version", [-1, 2**63])
def test_versions_that_cannot_be_served_are_refused(tmp_path: Path, version: int) -> None:
    with pytest.raises(UsageError, match="invalid version"):
        make(tmp_path, version=version)


def test_only_numbered_folders_are_versions(tmp_path: Path) -> None:
    for name in ("1", "00002", ".3.new-x", "four", "5.txt"):
        (tmp_path / name).mkdir()
    (tmp_path / "6").write_text("a file")
    assert version_folders(tmp_path) == {1: tmp_path / "1", 2: tmp_path / "00002"}
    assert version_folders(tmp_path / "nowhere") == {}
