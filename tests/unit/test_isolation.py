"""Work in a child process: what it returns, raises, tells and leaves behind when it dies."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from packager.errors import ModelLoadError, SignatureError
from packager.isolation import ChildBugError, Limits, run_isolated, started
from packager.progress import Event, Report, say


def succeed(value: int, *, report: Report) -> int:
    say(report, "working")
    print("noise on stdout")
    return value + 1


def fail(*, report: Report) -> None:
    raise SignatureError("bad name", hint="another")


def blunder(*, report: Report) -> None:
    raise ZeroDivisionError("ours")


def die(how: int, *, report: Report) -> None:
    print("last words", flush=True)
    os.kill(os.getpid(), how)


def leave(*, report: Report) -> None:
    os._exit(7)


def scribble(*, report: Report) -> str:
    descriptor, path = tempfile.mkstemp()
    os.close(descriptor)
    return path


def hang(marker: str, *, report: Report) -> None:
    Path(marker).write_text(str(os.getpid()))
    time.sleep(60)


def eat(*, report: Report) -> None:
    kept = []
    while True:
        kept.append(b"x" * 20_000_000)
        time.sleep(0.01)


def reserve(*, report: Report) -> str:
    with mmap.mmap(-1, 8 << 30) as reserved:  # address space alone, as TensorFlow takes it
        return f"{len(reserved) >> 30} GiB"


def get_ready() -> None:
    os.environ["PREPARED"] = f"{os.environ.get('EARLY')} {os.environ.get('LATE')}"


def never_ready() -> None:
    Path(os.environ["MARKER"]).write_text(str(os.getpid()))
    time.sleep(60)


def not_ready() -> None:
    raise OSError("no library")


def tell_environment(*, report: Report) -> tuple[str, ...]:
    return tuple(os.environ[name] for name in ("PREPARED", "EARLY", "LATE"))


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def test_results_and_events_come_back() -> None:
    events: list[Event] = []
    assert run_isolated(succeed, 41, report=events.append) == 42
    assert [event.text for event in events] == ["working"]


def test_errors_come_back_as_they_are() -> None:
    with pytest.raises(SignatureError, match="bad name") as caught:
        run_isolated(fail)
    assert caught.value.hint == "another"


def test_a_bug_is_not_dressed_as_a_user_error() -> None:
    with pytest.raises(ChildBugError, match="ZeroDivisionError: ours"):
        run_isolated(blunder)


@pytest.mark.parametrize("how", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_crash_is_a_clean_error_with_the_last_words(how: signal.Signals) -> None:
    with pytest.raises(ModelLoadError, match=f"killed by {how.name}") as caught:
        run_isolated(die, how)
    assert "last words" in (caught.value.details or "")


def test_an_exit_without_a_word_is_told() -> None:
    with pytest.raises(ModelLoadError, match="exited with status 7"):
        run_isolated(leave)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_child_never_outlives_its_parent(tmp_path: Path, how: signal.Signals) -> None:
    if how is signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux ends children with a parent that was killed")
    marker = tmp_path / "pid"
    script = (
        "import test_isolation as t; from packager.isolation import run_isolated; "
        f"run_isolated(t.hang, {str(marker)!r})"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not (marker.exists() and marker.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    child = int(marker.read_text())
    parent.send_signal(how)
    parent.wait(timeout=20)
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_child_prepares_before_it_is_told_what_to_run() -> None:
    with started(get_ready, environment={"EARLY": "1", "LATE": "0"}) as child:
        assert child.run(tell_environment, environment={"LATE": "2"}) == ("1 0", "1", "2")


def test_a_child_runs_one_function_after_the_other() -> None:
    with started(get_ready, environment={"EARLY": "1", "LATE": "0"}) as child:
        assert child.run(succeed, 41) == 42
        with pytest.raises(SignatureError, match="bad name"):
            child.run(fail)
        with pytest.raises(ChildBugError, match="ZeroDivisionError: ours"):
            child.run(blunder)
        assert child.run(tell_environment, environment={"LATE": "2"}) == ("1 0", "1", "2")
        assert child.run(tell_environment) == ("1 0", "1", "2")
        with pytest.raises(ModelLoadError, match="exited with status 7"):
            child.run(leave)
        with pytest.raises(ModelLoadError, match="exited with status 7"):
            child.run(succeed, 41)


def test_a_child_that_prepares_ends_when_there_is_nothing_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "pid"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with (
        pytest.raises(SignatureError, match="refused"),
        started(never_ready, environment={"MARKER": str(marker)}),
    ):
        deadline = time.monotonic() + 20
        while not (marker.exists() and marker.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        refused = time.monotonic()
        raise SignatureError("refused")
    assert time.monotonic() - refused < 5
    assert not _alive(int(marker.read_text()))
    assert list(tmp_path.iterdir()) == [marker]


def test_a_child_that_cannot_prepare_is_told_with_its_last_words() -> None:
    with (
        pytest.raises(ModelLoadError, match="exited with status 1") as caught,
        started(not_ready) as child,
    ):
        time.sleep(0.5)
        child.run(succeed, 41)
    assert "OSError: no library" in (caught.value.details or "")


def test_what_a_child_may_take_counts_from_when_it_runs() -> None:
    with started(get_ready) as child:
        time.sleep(2)
        assert child.run(succeed, 41, limits=Limits(seconds=2, memory=LIMITS.memory)) == 42


LIMITS = Limits(seconds=60, memory=300_000_000)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is watched through /proc")
def test_temporary_files_end_with_the_child() -> None:
    left = Path(run_isolated(scribble))
    assert left.is_relative_to(tempfile.gettempdir())
    assert not left.parent.exists()


def test_a_child_that_eats_memory_is_ended() -> None:
    with pytest.raises(
        ModelLoadError, match=r"loading the model: takes more than 0\.3 GB of memory"
    ) as caught:
        run_isolated(eat, limits=LIMITS)
    assert caught.value.hint == "--load-memory 1GB gives it more"


def test_address_space_is_no_memory() -> None:
    assert run_isolated(reserve, limits=LIMITS) == "8 GiB"


def test_a_child_that_hangs_is_ended(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    with pytest.raises(ModelLoadError, match=r"loading the model: not done after 2 s") as caught:
        run_isolated(hang, str(marker), limits=Limits(seconds=2, memory=LIMITS.memory))
    assert caught.value.hint == "--load-timeout 4 gives it more time"
    if marker.exists():
        assert not _alive(int(marker.read_text()))
