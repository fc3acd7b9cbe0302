"""Work on a hostile file ends: with its result, with its error, or with an error that says how it died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from packager.errors import ModelFileError, UnsafeFileError
from packager.h5.confinement import confined

FILE = Path("model.h5")


def raise_unsafe() -> None:
    raise UnsafeFileError("refused", hint="look", details="more")


def burn() -> None:
    while True:
        pass


def test_results_come_back_whatever_their_size() -> None:
    assert confined(lambda: b"x" * 5_000_000, FILE, seconds=5) == b"x" * 5_000_000
    assert confined(lambda: None, FILE, seconds=5) is None


def test_errors_come_back_whole() -> None:
    with pytest.raises(UnsafeFileError) as caught:
        confined(raise_unsafe, FILE, seconds=5)
    assert (caught.value.message, caught.value.hint, caught.value.details) == ("refused", "look", "more")


def test_a_bug_comes_back_with_its_traceback() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)model\.h5.*1 / 0.*ZeroDivisionError"):
        confined(lambda: 1 / 0, FILE, seconds=5)


def test_a_crash_is_an_error() -> None:
    with pytest.raises(ModelFileError, match=r"libhdf5 crashes on it \(SIGSEGV\)"):
        confined(lambda: os.kill(os.getpid(), signal.SIGSEGV), FILE, seconds=5)


def test_processor_time_is_limited() -> None:
    started = time.monotonic()
    with pytest.raises(ModelFileError, match=r"takes more than 0\.2 s of processor time"):
        confined(burn, FILE, seconds=0.2)
    assert time.monotonic() - started < 10


GREEDY = """
from pathlib import Path
from packager.h5.confinement import confined
confined(lambda: len(bytearray(2**30)), Path("model.h5"), seconds=5)
"""


def test_memory_is_limited() -> None:
    """In a process of its own: one that has freed a gigabyte, as a run of tests can, may use it again."""
    done = subprocess.run([sys.executable, "-c", GREEDY], capture_output=True, text=True)
    assert "ModelFileError: 'model.h5' is damaged or hostile" in done.stderr
    assert "MiB of memory" in done.stderr


def test_an_answer_too_large_to_take_is_an_error() -> None:
    with pytest.raises(ModelFileError, match="MiB of memory"):
        confined(lambda: bytes(70 * 2**20), FILE, seconds=5)


def children() -> set[str]:
    """Return the processes that this one has started and not waited for; other tests may have some."""
    return {
        pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()
    }


def test_no_child_and_no_descriptor_is_left() -> None:
    others, before = children(), len(os.listdir("/proc/self/fd"))
    for work in (lambda: 1, burn):
        try:
            confined(work, FILE, seconds=0.1)
        except ModelFileError:
            continue
    assert children() <= others
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_interruption_ends_the_child() -> None:
    others, main = children(), threading.main_thread().ident
    assert main
    timer = threading.Timer(0.3, signal.pthread_kill, [main, signal.SIGINT])
    started = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        confined(lambda: time.sleep(30), FILE, seconds=30)
    timer.join()
    assert time.monotonic() - started < 10
    assert children() <= others


KILLED = """
import time
from pathlib import Path
from packager.h5.confinement import confined
confined(lambda: (print("at work", flush=True), time.sleep(60)), Path("model.h5"), seconds=5)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it ends when its limits are reached")
def test_it_ends_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "at work\n"
        parent.kill()
        killed = time.monotonic()
        assert parent.stdout.read() == ""  # nobody has the other end of the pipe any more
    assert time.monotonic() - killed < 30


def test_it_works_from_a_thread() -> None:
    results = []
    thread = threading.Thread(target=lambda: results.append(confined(lambda: 7, FILE, seconds=5)))
    thread.start()
    thread.join()
    assert results == [7]
