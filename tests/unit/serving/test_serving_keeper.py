"""The keeper of versions: what is loaded, unloaded, kept and tried again, with loads that a test controls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packager.serving.models.keeper import Keeper
from packager.serving.models.states import State
from packager.serving.native.servable import Servable
from packager.serving.status import Code, StatusError, not_found


class StandInSession:
    """Stands in for a TensorFlow session; only knows whether it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


class Loads:
    """Loads servables that run nothing, fails where told to, and can be held up."""

    def __init__(self) -> None:
        self.broken: set[int] = set()
        self.go_on = threading.Event()
        self.go_on.set()
        self.tried: list[int] = []
        self.folders: list[Path] = []
        self.sessions: dict[int, StandInSession] = {}

    def __call__(self, name: str, version: int, folder: Path) -> Servable:
        self.tried.append(version)
        self.folders.append(folder)
        assert self.go_on.wait(10)
        if version in self.broken:
            raise not_found(f"no model in {folder}")
        self.sessions[version] = StandInSession()
        return Servable(name, version, self.sessions[version], {})  # type: ignore[arg-type]


@pytest.fixture
def loads() -> Iterator[Loads]:
    loads = Loads()
    yield loads
    loads.go_on.set()


@pytest.fixture
def keeper(loads: Loads) -> Keeper:
    return Keeper(loads, threads=2, retries=0)


def folders(*versions: int) -> dict[int, Path]:
    return {version: Path(f"/m/{version}") for version in sorted(versions, reverse=True)}


def states(keeper: Keeper) -> dict[int, State]:
    return {status.version: status.state for status in keeper.statuses("m")}


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def serving(keeper: Keeper, version: int | None = None) -> int:
    with keeper.use("m", version) as servable:
        return servable.version


def test_wanted_versions_are_loaded_the_highest_first(loads: Loads) -> None:
    keeper = Keeper(loads, threads=1)
    keeper.want("m", folders(1, 3, 2))
    assert keeper.wait_until_decided(["m"]) == []
    assert loads.tried == [3, 2, 1]
    assert [status.version for status in keeper.statuses("m")] == [3, 2, 1]
    assert (serving(keeper), serving(keeper, 1)) == (3, 1)


def test_what_is_not_there_is_not_found(keeper: Keeper) -> None:
    for version, asked in ((None, "Latest(m)"), (9, "Specific(m, 9)")):
        with pytest.raises(StatusError) as caught, keeper.use("m", version):
            pytest.fail("nothing is there to use")
        assert str(caught.value) == f"NOT_FOUND: Servable not found for request: {asked}"


def test_the_old_version_serves_until_the_new_one_is_available(keeper: Keeper, loads: Loads) -> None:
    keeper.want("m", folders(1))
    keeper.wait_until_decided(["m"])
    loads.go_on.clear()
    keeper.want("m", folders(2))
    eventually(lambda: states(keeper) == {1: State.AVAILABLE, 2: State.LOADING})
    assert serving(keeper) == 1
    loads.go_on.set()
    eventually(lambda: states(keeper) == {1: State.END, 2: State.AVAILABLE})
    assert serving(keeper) == 2
    assert loads.sessions[1].closed


def test_a_new_version_that_fails_leaves_the_old_one(keeper: Keeper, loads: Loads) -> None:
    loads.broken.add(2)
    keeper.want("m", folders(1))
    keeper.wait_until_decided(["m"])
    keeper.want("m", folders(2))
    eventually(lambda: states(keeper) == {1: State.AVAILABLE, 2: State.END})
    [failed, _] = keeper.statuses("m")
    assert failed.error
    assert str(failed.error) == "NOT_FOUND: no model in /m/2"
    assert serving(keeper) == 1
    assert not loads.sessions[1].closed


def test_a_failed_version_is_tried_again_only_after_it_was_gone(keeper: Keeper, loads: Loads) -> None:
    loads.broken.add(2)
    keeper.want("m", folders(2))
    keeper.wait_until_decided(["m"])
    loads.broken.clear()
    for _ in range(3):
        keeper.want("m", folders(2))
    assert loads.tried == [2]
    keeper.want("m", folders(1))
    keeper.want("m", folders(2))
    eventually(lambda: states(keeper)[2] is State.AVAILABLE)
    assert loads.tried.count(2) == 2


def test_a_version_that_comes_back_is_loaded_again(keeper: Keeper) -> None:
    keeper.want("m", folders(1))
    keeper.wait_until_decided(["m"])
    keeper.want("m", {})
    eventually(lambda: states(keeper) == {1: State.END})
    keeper.want("m", folders(1))
    eventually(lambda: states(keeper) == {1: State.AVAILABLE})


def test_unloading_waits_for_whoever_uses_the_version(keeper: Keeper, loads: Loads) -> None:
    keeper.want("m", folders(1))
    keeper.wait_until_decided(["m"])
    with keeper.use("m", None):
        keeper.want("m", {})
        eventually(lambda: states(keeper) == {1: State.UNLOADING})
        time.sleep(0.05)
        assert not loads.sessions[1].closed
        with pytest.raises(StatusError), keeper.use("m", None):
            pytest.fail("it is on its way out")
    eventually(lambda: loads.sessions[1].closed)
    eventually(lambda: states(keeper) == {1: State.END})


def test_of_versions_that_failed_the_highest_is_reported(keeper: Keeper, loads: Loads) -> None:
    loads.broken |= {1, 2}
    keeper.want("m", folders(1, 2))
    [failed] = keeper.wait_until_decided(["m"])
    assert str(failed) == "{name: m version: 2}"
    assert str(failed.error) == "NOT_FOUND: no model in /m/2"


def test_one_available_version_is_enough(keeper: Keeper, loads: Loads) -> None:
    loads.broken.add(2)
    keeper.want("m", folders(1, 2))
    assert keeper.wait_until_decided(["m"]) == []
    assert states(keeper) == {1: State.AVAILABLE, 2: State.END}


def test_a_failed_load_is_tried_again(loads: Loads, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    loads.broken.add(1)
    keeper = Keeper(loads, threads=1, retries=2, retry_seconds=0)
    keeper.want("m", folders(1))
    [failed] = keeper.wait_until_decided(["m"])
    assert failed.failures == 3
    assert loads.tried == [1, 1, 1]
    for line in (
        "Loading servable: {name: m version: 1} failed: NOT_FOUND: no model in /m/1",
        "Retrying of Loading servable: {name: m version: 1} retry: 2",
        "Retrying of Loading servable: {name: m version: 1} exhausted max_num_retries: 2",
    ):
        assert line in caplog.text


def test_a_version_that_is_no_longer_wanted_is_not_tried_again(loads: Loads) -> None:
    loads.broken.add(1)
    keeper = Keeper(loads, threads=1, retries=5, retry_seconds=60)
    keeper.want("m", folders(1))
    eventually(lambda: loads.tried == [1])
    keeper.want("m", {})
    eventually(lambda: states(keeper) == {1: State.END})
    assert loads.tried == [1]


def test_a_bug_in_loading_is_a_failed_load() -> None:
    def blunder(name: str, version: int, folder: Path) -> Servable:
        raise ZeroDivisionError("ours")

    keeper = Keeper(blunder, threads=1, retries=0)
    keeper.want("m", folders(1))
    [failed] = keeper.wait_until_decided(["m"])
    assert failed.error
    assert failed.error.code is Code.INTERNAL
    assert failed.error.message == "ZeroDivisionError: ours"


def test_a_model_that_was_removed_and_is_back_is_waited_for_anew(keeper: Keeper, loads: Loads) -> None:
    keeper.want("m", folders(1))
    keeper.wait_until_decided(["m"])
    keeper.want("m", {})
    eventually(lambda: states(keeper) == {1: State.END})
    with pytest.raises(StatusError):
        keeper.wait_until_decided(["m"], seconds=0.02)
    loads.go_on.clear()
    keeper.want("m", folders(1))
    with pytest.raises(StatusError):
        keeper.wait_until_decided(["m"], seconds=0.02)
    loads.go_on.set()
    assert keeper.wait_until_decided(["m"]) == []
    assert serving(keeper) == 1


def test_a_version_that_comes_back_while_it_is_unloaded_is_loaded_again(keeper: Keeper, loads: Loads) -> None:
    keeper.want("m", folders(1))
    keeper.wait_until_decided(["m"])
    with keeper.use("m", 1):
        keeper.want("m", {})
        eventually(lambda: states(keeper) == {1: State.UNLOADING})
        keeper.want("m", {1: Path("/elsewhere/1")})  # said once: nobody looks again
        assert states(keeper) == {1: State.UNLOADING}
    assert keeper.wait_until_decided(["m"], seconds=10) == []
    assert serving(keeper) == 1
    assert loads.folders == [Path("/m/1"), Path("/elsewhere/1")]
