"""Modules that are loaded when they are touched: by what, how often, and that nobody sees half of one."""

from __future__ import annotations

import importlib
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from packager.deferral import import_sparingly, is_untouched

DEFERRED = ("shop.names.*", "shop.slow", "shop.broken", "shop.absent")


@pytest.fixture
def executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A package ``shop``; the list tells which of its modules were executed."""
    ran: list[str] = []
    monkeypatch.setattr(sys, "ran", ran, raising=False)
    texts = {
        "__init__": "from shop import names, slow",
        "names/__init__": "from shop.names import inner\nfrom shop.real import price\n_hidden = 1",
        "names/inner": "from shop.real import price as cost",
        "real": "def price(): return 42",
        "list/__init__": "from shop.names import price as cost  # line: 3\nfrom shop.list import more\n"
        "from shop.real import price\nfrom shop.broken import lost\nchanged = 1",
        "list/more": "from shop.real import price",
        "elsewhere/more": "here = 1",
        "slow": "import time\nbefore = 1\ntime.sleep(0.2)\nafter = 2",
        "broken": "before = 1\nraise ImportError('no libshop')",
        "frail": "",
    }
    for name, text in texts.items():
        file = tmp_path / "shop" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"import sys\nsys.ran.append(__name__)\n{text}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    finders = list(sys.meta_path)
    yield ran
    sys.meta_path[:] = finders
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def names_of_star_import() -> Any:
    found: dict[str, Any] = {}
    exec("from shop.names import *", found)
    return found["price"]


def from_import() -> Any:
    from shop.names import price  # type: ignore[import-not-found]

    return price


TOUCHES: dict[str, Callable[[Any], Any]] = {
    "an attribute": lambda shop: shop.names.price,
    "from … import name": lambda shop: from_import(),
    "from … import *": lambda shop: names_of_star_import(),
    "dir": lambda shop: "price" in dir(shop.names) and shop.names.price,
    "vars": lambda shop: vars(shop.names)["price"],
    "getattr": lambda shop: getattr(shop.names, "price", None),
}


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
def test_a_touch_loads_a_module(executed: list[str], touch: Callable[[Any], Any]) -> None:
    shop = import_sparingly("shop", DEFERRED)
    assert executed == ["shop"]
    assert touch(shop)() == 42
    assert executed == ["shop", "shop.names", "shop.real"]
    assert type(shop.names) is ModuleType
    assert touch(shop)() == 42
    assert len(executed) == 3


def test_a_module_that_is_only_named_is_not_loaded(executed: list[str]) -> None:
    shop = import_sparingly("shop", DEFERRED)
    importlib.import_module("shop.names")
    inner = importlib.import_module("shop.names.inner")
    assert shop.names.inner is inner
    assert inner.__name__ == "shop.names.inner"
    assert shop.names.__file__.endswith("__init__.py")
    inspect.getmodule(import_sparingly, "somewhere")  # goes through all modules
    assert executed == ["shop"]
    assert inner.cost() == 42
    assert executed == ["shop", "shop.names.inner", "shop.real"]


def test_its_source_is_found_as_ever(executed: list[str]) -> None:
    shop = import_sparingly("shop", DEFERRED)
    assert "price as cost" in inspect.getsource(importlib.import_module("shop.names.inner"))
    assert shop.names.__spec__.loader is shop.names.__loader__


def test_a_name_that_is_not_there_is_told_as_ever(executed: list[str]) -> None:
    shop = import_sparingly("shop", DEFERRED)
    with pytest.raises(AttributeError, match=r"module 'shop\.names' has no attribute 'prize'"):
        _ = shop.names.prize
    assert not hasattr(shop.names, "prize")


def test_what_was_set_before_stays_and_what_is_deleted_goes(executed: list[str]) -> None:
    shop = import_sparingly("shop", DEFERRED)
    shop.names.price = lambda: 1
    assert shop.names.price() == 1
    assert shop.names._hidden == 1
    assert shop.names.price() == 1
    inner = importlib.import_module("shop.names.inner")
    del inner.cost
    assert not hasattr(inner, "cost")


def test_of_a_list_only_the_name_touched_is_imported(executed: list[str]) -> None:
    import_sparingly("shop", (*DEFERRED, "shop.list.*"), lists=r"shop\.(list|names)(\..*)?")
    listed = importlib.import_module("shop.list")
    assert is_untouched("shop.list")
    assert listed.cost is listed.cost
    assert listed.cost() == 42
    assert executed == ["shop", "shop.real"]
    assert listed.more.price() == 42
    assert executed == ["shop", "shop.real"]
    with pytest.raises(ImportError, match="no libshop"):
        _ = listed.lost
    assert not any(name.startswith("shop.list") for name in executed)


def test_a_list_is_executed_for_what_it_does_not_list(executed: list[str], tmp_path: Path) -> None:
    (tmp_path / "shop" / "broken.py").write_text("lost = 2")
    import_sparingly("shop", (*DEFERRED, "shop.list.*"), lists=r"shop\.list.*")
    listed = importlib.import_module("shop.list")
    assert listed.price() == 42
    listed.price = None
    assert listed.changed == 1
    assert (listed.price, listed.lost) == (None, 2)
    assert type(listed) is ModuleType
    assert not is_untouched("shop.list")


def test_a_list_that_is_told_to_look_elsewhere_keeps_what_it_had(executed: list[str], tmp_path: Path) -> None:
    import_sparingly("shop", (*DEFERRED, "shop.list.*"), lists=r"shop\.list.*")
    listed = importlib.import_module("shop.list")
    listed.__path__ = [str(tmp_path / "shop" / "elsewhere")]
    assert importlib.import_module("shop.list.more").price() == 42
    assert executed == ["shop", "shop.real"]


def test_a_module_that_is_not_installed_is_told_at_once(executed: list[str]) -> None:
    import_sparingly("shop", DEFERRED)
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'shop\.absent'"):
        importlib.import_module("shop.absent")


def test_a_module_that_fails_fails_whoever_touches_it(executed: list[str]) -> None:
    import_sparingly("shop", DEFERRED)
    broken = importlib.import_module("shop.broken")
    for _ in range(2):
        with pytest.raises(ImportError, match="no libshop"):
            _ = broken.after
    assert executed.count("shop.broken") == 2


def test_threads_load_a_module_once_and_see_it_whole(executed: list[str]) -> None:
    shop = import_sparingly("shop", DEFERRED)
    begin, seen = threading.Barrier(8), []

    def touch() -> None:
        begin.wait()
        seen.append((shop.slow.before, shop.slow.after))

    threads = [threading.Thread(target=touch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [(1, 2)] * 8
    assert executed.count("shop.slow") == 1


def test_a_package_that_does_not_stand_it_is_imported_whole(executed: list[str], tmp_path: Path) -> None:
    text = (
        "import sys\nsys.ran.append(__name__)\nfrom shop import names\nif len(sys.ran) == 1: raise OSError\n"
    )
    (tmp_path / "shop" / "__init__.py").write_text(text)
    finders = list(sys.meta_path)
    shop = import_sparingly("shop", DEFERRED)
    assert sys.meta_path == finders
    assert type(shop.names) is ModuleType
    assert shop.names.price() == 42


def test_a_package_that_fails_by_itself_fails_as_ever(executed: list[str], tmp_path: Path) -> None:
    (tmp_path / "shop" / "__init__.py").write_text("raise OSError('no libshop')")
    with pytest.raises(OSError, match="no libshop"):
        import_sparingly("shop", DEFERRED)


def test_all_whose_names_begin_alike_are_deferred(executed: list[str]) -> None:
    shop = import_sparingly("shop", ("shop.sl*", "shop.names.in*"))
    assert executed == ["shop", "shop.names", "shop.real"]
    assert (is_untouched("shop.slow"), is_untouched("shop.names")) == (True, False)
    assert shop.slow.after == 2
    assert shop.names.inner.cost() == 42
    assert executed[3:] == ["shop.slow", "shop.names.inner"]
