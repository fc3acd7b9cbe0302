"""Functions of a library that are replaced: for a while, or before anybody has taken the first."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from packager.replaced import replaced, replaced_from_the_start


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package ``shop``, whose module ``till`` takes ``price`` from its module ``prices``."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "__init__.py").write_text("from shop import till\n")
    (folder / "prices.py").write_text("def price(): return 1\ndef tax(): return price() * 2\n")
    (folder / "till.py").write_text("from shop.prices import price, tax\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def test_whoever_imports_a_function_gets_the_one_that_replaces_it(shop: Path) -> None:
    finders = list(sys.meta_path)
    with replaced_from_the_start("shop.prices", "price", lambda: 3):
        till = importlib.import_module("shop.till")
    assert sys.meta_path == finders
    assert (till.price(), till.tax()) == (3, 6)
    prices = sys.modules["shop.prices"]
    assert prices.__spec__ is not None
    assert prices.__loader__ is prices.__spec__.loader
    assert prices.__loader__.get_source("shop.prices").startswith("def price")  # type: ignore[union-attr]


def test_a_module_that_is_there_already_stays_as_it_is(shop: Path) -> None:
    till = importlib.import_module("shop.till")
    with replaced_from_the_start("shop.prices", "price", lambda: 3):
        importlib.import_module("shop.prices")
    assert (till.price(), till.tax()) == (1, 2)


def test_a_module_that_is_absent_or_fails_is_told_as_ever(shop: Path) -> None:
    finders = list(sys.meta_path)
    (shop / "till.py").write_text("raise ImportError('no libshop')\n")
    with (
        pytest.raises(ImportError, match="no libshop"),
        replaced_from_the_start("shop.till", "price", None),
    ):
        importlib.import_module("shop")
    with (
        pytest.raises(ModuleNotFoundError, match=r"No module named 'shopping'"),
        replaced_from_the_start("shopping", "price", None),
    ):
        importlib.import_module("shopping")
    assert sys.meta_path == finders


def test_what_was_replaced_for_a_while_is_back(shop: Path) -> None:
    (shop / "__init__.py").write_text("class Shelf:\n    def full(self): return 1\nclass Box(Shelf): pass\n")
    box = importlib.import_module("shop").Box
    for owner in (box.__mro__[1], box):  # its own, and one that it inherits
        with pytest.raises(KeyError), replaced(owner, "full", lambda _: 2):
            assert box().full() == 2
            raise KeyError
        assert box().full() == 1
    assert "full" not in vars(box)
