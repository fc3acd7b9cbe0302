"""The catalog: folders that change, configurations that are reloaded, labels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packager.serving.models.catalog import Catalog, ModelSpec
from packager.serving.models.config import ModelConfig
from packager.serving.models.keeper import Keeper
from packager.serving.models.policies import All
from packager.serving.models.states import State
from packager.serving.native.servable import Servable
from packager.serving.status import Code, StatusError, not_found

MakeCatalog = Callable[..., Catalog]


class StandInSession:
    def close(self) -> None:
        """Nothing to free."""


def load(name: str, version: int, folder: Path) -> Servable:
    """Load a servable that runs nothing; a folder with a file ``broken`` fails."""
    if (folder / "broken").exists():
        raise not_found(f"no model in {folder}")
    return Servable(name, version, StandInSession(), {})  # type: ignore[arg-type]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "m" / "1").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def catalog() -> Iterator[MakeCatalog]:
    """Make catalogs, and end their watching."""
    made = []

    def make(*, labels_need_available: bool = True) -> Catalog:
        keeper = Keeper(load, threads=2, retries=0)
        made.append(Catalog(keeper, poll_seconds=0.02, labels_need_available=labels_need_available))
        return made[-1]

    yield make
    for catalog in made:
        catalog.close()


def model(base: Path, name: str = "m", **labels: int) -> ModelConfig:
    return ModelConfig(name=name, base_path=str(base / name), policy=All(), labels=labels)


def states(catalog: Catalog, name: str = "m") -> dict[int, State]:
    return {status.version: status.state for status in catalog.statuses(name)}


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def test_new_folders_are_loaded_and_vanished_ones_unloaded(catalog: MakeCatalog, base: Path) -> None:
    models = catalog()
    models.reload([model(base)])
    assert states(models) == {1: State.AVAILABLE}
    (base / "m" / "2").mkdir()
    eventually(lambda: states(models) == {1: State.AVAILABLE, 2: State.AVAILABLE})
    (base / "m" / "1").rmdir()
    eventually(lambda: states(models) == {1: State.END, 2: State.AVAILABLE})


def test_a_vanished_base_path_changes_nothing(
    catalog: MakeCatalog, base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    models = catalog()
    models.reload([model(base)])
    (base / "m").rename(base / "elsewhere")
    eventually(lambda: "filesystem access error: Could not find base path" in caplog.text)
    assert states(models) == {1: State.AVAILABLE}


def test_a_first_load_that_fails_is_told(catalog: MakeCatalog, base: Path) -> None:
    (base / "m" / "1" / "broken").touch()
    with pytest.raises(StatusError) as caught:
        catalog().reload([model(base)])
    assert str(caught.value) == (
        "UNKNOWN: 1 servable(s) did not become available: "
        f"{{{{{{name: m version: 1}} due to error: NOT_FOUND: no model in {base}/m/1}}, }}"
    )


def test_models_come_and_go_with_the_configuration(catalog: MakeCatalog, base: Path) -> None:
    (base / "n" / "5").mkdir(parents=True)
    models = catalog()
    models.reload([model(base)])
    models.reload([model(base, "n")])
    assert states(models, "n") == {5: State.AVAILABLE}
    eventually(lambda: states(models) == {1: State.END})
    with pytest.raises(StatusError, match=r"Latest\(m\)"), models.use(ModelSpec(name="m")):
        pytest.fail("it is unloaded")


def test_a_wrong_configuration_changes_nothing(catalog: MakeCatalog, base: Path) -> None:
    models = catalog()
    models.reload([model(base)])
    with pytest.raises(StatusError, match="multiple times"):
        models.reload([model(base), model(base)])
    assert states(models) == {1: State.AVAILABLE}


def test_labels_name_available_versions(catalog: MakeCatalog, base: Path) -> None:
    models = catalog()
    models.reload([model(base)])
    models.reload([model(base, stable=1)])
    with models.use(ModelSpec(name="m", label="stable")) as servable:
        assert servable.version == 1
    with pytest.raises(StatusError) as caught, models.use(ModelSpec(name="m", label="canary")):
        pytest.fail("there is no such label")
    assert str(caught.value) == "INVALID_ARGUMENT: Unrecognized servable version label: canary"


def test_a_label_for_an_unavailable_version_is_refused(catalog: MakeCatalog, base: Path) -> None:
    with pytest.raises(StatusError) as caught:
        catalog().reload([model(base, stable=1)])
    assert str(caught.value) == (
        "FAILED_PRECONDITION: Request to assign label to version 1 of model m, "
        "which is not currently available for inference"
    )


def test_a_new_label_may_be_allowed_ahead_but_not_be_moved_ahead(catalog: MakeCatalog, base: Path) -> None:
    models = catalog(labels_need_available=False)
    models.reload([model(base, stable=1)])
    models.reload([model(base, stable=1, canary=7)])
    with pytest.raises(StatusError, match="label to version 7"):
        models.reload([model(base, stable=7)])


def test_statuses_of_what_there_never_was(catalog: MakeCatalog, base: Path) -> None:
    models = catalog()
    models.reload([model(base)])
    assert [status.version for status in models.statuses("m", 1)] == [1]
    with pytest.raises(StatusError, match="Could not find version 9 of model m"):
        models.statuses("m", 9)
    with pytest.raises(StatusError, match="Could not find any versions of model x"):
        models.statuses("x")


def test_models_may_come_later_but_a_configuration_cannot_become_none(
    catalog: MakeCatalog, base: Path
) -> None:
    models = catalog()
    models.reload(None)
    assert not models.has(())
    models.reload([model(base)])
    with pytest.raises(StatusError) as refused:
        models.reload(None)
    assert refused.value.message.startswith("Cannot transition to requested config.")
    assert states(models) == {1: State.AVAILABLE}
    models.reload(())
    eventually(lambda: states(models) == {1: State.END})


def test_a_configuration_is_known_again(catalog: MakeCatalog, base: Path) -> None:
    models = catalog()
    models.reload([model(base)])
    assert models.has((model(base),))
    assert not models.has((model(base, stable=1),))
    assert not models.has(())
    assert not models.has(None)


def test_a_model_that_never_comes_holds_nobody_up(catalog: MakeCatalog, base: Path) -> None:
    models = catalog()
    models.reload([model(base)])
    with pytest.raises(StatusError) as late:
        models.reload([model(base), model(base, "absent")], seconds=0.05)
    assert (late.value.code, late.value.message) == (
        Code.DEADLINE_EXCEEDED,
        "no version to load was found in time: absent",
    )
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(models.reload, [model(base), model(base, "missing")])
        eventually(lambda: "missing" in models.names())
        models.reload([model(base)])
        with pytest.raises(StatusError) as replaced:
            waiting.result()
    assert (replaced.value.code, replaced.value.message) == (
        Code.ABORTED,
        "removed before they were available: missing",
    )
