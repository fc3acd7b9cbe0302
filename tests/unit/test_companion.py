"""Work in a forked process: what it returns and raises, and that it never outlives what it is beside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from packager.companion import companion
from packager.errors import ModelFileError, ModelLoadError


def test_what_is_known_before_is_known_there_and_the_result_comes_back() -> None:
    known = {"a": 1}
    with companion(lambda _: (known, os.getpid()), doing="counting") as beside:
        answer, pid = beside.result()
    assert answer == known
    assert pid != os.getpid()


def test_it_is_told_what_to_do() -> None:
    def double(channel: Connection) -> int:
        number: int = channel.recv()
        return 2 * number

    with companion(double, doing="counting") as beside:
        assert not beside.done(0)
        beside.tell(21)
        assert beside.done(30)
        assert beside.result() == 42


def test_what_it_raises_is_raised_where_the_result_is_asked_for() -> None:
    def fail(_: Connection) -> None:
        raise ModelFileError("it is damaged", hint="get another")

    with companion(fail, doing="reading") as beside, pytest.raises(ModelFileError) as caught:
        beside.result()
    assert (caught.value.message, caught.value.hint) == ("it is damaged", "get another")


def test_one_that_is_killed_is_an_error() -> None:
    with (
        companion(lambda _: os.kill(os.getpid(), signal.SIGKILL), doing="reading") as beside,
        pytest.raises(ModelLoadError, match=r"^reading: the process was killed by SIGKILL$"),
    ):
        beside.result()


def test_it_ends_with_the_block_whatever_it_is_at(tmp_path: Path) -> None:
    def linger(_: Connection) -> None:
        (tmp_path / "pid").write_text(str(os.getpid()))
        time.sleep(60)

    with pytest.raises(KeyError), companion(linger, doing="waiting"):
        pid = int(eventually(tmp_path / "pid"))
        raise KeyError
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="no other system kills a process with its parent")
def test_it_does_not_outlive_a_process_that_is_killed(tmp_path: Path) -> None:
    program = f"""
import os, pathlib, time
from packager.companion import companion
def linger(_):
    pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
    time.sleep(60)
with companion(linger, doing="waiting"):
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        pid = int(eventually(tmp_path / "pid"))
        process.kill()
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(pid)


def eventually(file: Path) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if file.exists() and (text := file.read_text()):
            return text
        time.sleep(0.01)
    raise AssertionError(f"{file} never came")


def is_alive(pid: int) -> bool:
    """Tell whether a process runs: one that nobody asked for its end may stay as a zombie."""
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
