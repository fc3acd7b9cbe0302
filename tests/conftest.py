"""What tests of every kind share: where real files are, and what this machine lets them use."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

pytest_plugins = ["fixtures_command", "fixtures_engine", "fixtures_registry"]

REPOSITORY = Path(__file__).resolve().parents[1]
NO_SKIPS = os.environ.get("PACKAGER_NO_SKIPS") == "1"
_STATUS = pytest.StashKey[int]()


def pytest_configure() -> None:
    """Let an interruption interrupt: a shell has jobs in the background, and what they start, ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep how the tests ended."""
    session.config.stash[_STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave without tearing Python down: a thread of a library that looks for it then ends a run by a signal.

    That was seen once, after all had passed, in PyThreadState_New.
    """
    if (status := config.stash.get(_STATUS, None)) is not None:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real ``.h5`` files by other people; it lies outside the repository."""
    folder = Path(os.environ.get("PACKAGER_CORPUS", REPOSITORY.parent / "shared" / "corpus"))
    if not (folder / "index.csv").is_file():
        pytest.skip(f"corpus not found at {folder} (set PACKAGER_CORPUS)")
    return folder


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, None, None]:
    """Where nothing may be skipped, a skip is a failure with the skip's reason."""
    outcome = yield
    report = outcome.get_result()
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and nothing may be: {report.longrepr}"
