"""Where the server asks for huge pages, by what the kernel says of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from packager.serving.native import huge_pages

MEBI = 2**20


def kernel(folder: Path, mode: str = "always [madvise] never", size: str = f"{2 * MEBI}") -> str:
    (folder / "enabled").write_text(f"{mode}\n")
    (folder / "hpage_pmd_size").write_text(f"{size}\n")
    return str(folder)


@pytest.mark.parametrize(
    ("mode", "asks"),
    [
        ("always [madvise] never", True),
        ("[always] madvise never", False),
        ("always madvise [never]", False),
        ("", False),
    ],
)
def test_it_asks_a_kernel_that_waits_to_be_asked(tmp_path: Path, mode: str, asks: bool) -> None:
    assert huge_pages.is_of_use({}, kernel(tmp_path, mode)) is asks


@pytest.mark.parametrize(
    ("size", "asks"), [(f"{2 * MEBI}", True), (f"{512 * MEBI}", False), ("", False), ("2 MB", False)]
)
def test_it_asks_for_pages_of_a_bearable_size(tmp_path: Path, size: str, asks: bool) -> None:
    assert huge_pages.is_of_use({}, kernel(tmp_path, size=size)) is asks


@pytest.mark.parametrize("chosen", ["", "glibc.malloc.check=3", "glibc.malloc.hugetlb=1"])
def test_who_tunes_glibc_is_left_alone(tmp_path: Path, chosen: str) -> None:
    assert not huge_pages.is_of_use({"GLIBC_TUNABLES": chosen}, kernel(tmp_path))


def test_a_system_without_huge_pages_is_not_asked(tmp_path: Path) -> None:
    assert not huge_pages.is_of_use({}, str(tmp_path))


class Started:
    """What the process was started anew with, in place of starting it."""

    def __init__(self) -> None:
        self.environments: list[Mapping[str, str]] = []
        self.waiting: set[Any] = set()

    def execve(self, path: str, arguments: list[str], environment: Mapping[str, str]) -> None:
        self.environments.append(environment)
        self.waiting = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        raise PermissionError


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    started = Started()
    monkeypatch.setattr(os, "execve", started.execve)
    monkeypatch.setattr(huge_pages, "is_of_use", lambda environment: True)
    return started


def test_signals_wait_while_it_starts_anew_and_no_longer(started: Started) -> None:
    huge_pages.ask_for_huge_pages()
    assert [e["GLIBC_TUNABLES"] for e in started.environments] == ["glibc.malloc.hugetlb=1"]
    assert started.waiting >= {signal.SIGTERM, signal.SIGINT}
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & {signal.SIGTERM, signal.SIGINT}


def test_it_starts_anew_once_even_where_the_environment_is_lost(started: Started) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    huge_pages.ask_for_huge_pages()
    assert not started.environments
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & {signal.SIGTERM, signal.SIGINT}
