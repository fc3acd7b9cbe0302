"""A contract survives being written and read, byte for byte the same each time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fixtures_contract import contract

from packager.contract import FOLDER, read_contract, write_contract
from packager.errors import ModelFileError


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_contract(contract(), tmp_path)
    read = read_contract(tmp_path)
    assert read is not None
    assert read.signatures == contract().signatures
    assert read.samples[0].batch == 2
    np.testing.assert_array_equal(read.samples[0].inputs["a/b"], contract().samples[0].inputs["a/b"])
    assert list(read.samples[0].outputs["label"]) == [b"yes", b"not at all"]


def test_the_same_contract_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        write_contract(contract(), tmp_path / folder)
    for name in ("contract.json", "samples.npz"):
        assert (tmp_path / "x" / FOLDER / name).read_bytes() == (tmp_path / "y" / FOLDER / name).read_bytes()


def test_no_contract_is_none(tmp_path: Path) -> None:
    assert read_contract(tmp_path) is None


@pytest.mark.parametrize("damage", ["{", "[]", '{"format": 1}', '{"format": 99}'])
def test_a_damaged_contract_is_told(tmp_path: Path, damage: str) -> None:
    write_contract(contract(), tmp_path)
    (tmp_path / FOLDER / "contract.json").write_text(damage)
    with pytest.raises(ModelFileError, match="contract"):
        read_contract(tmp_path)


def test_damaged_samples_are_told(tmp_path: Path) -> None:
    write_contract(contract(), tmp_path)
    file = tmp_path / FOLDER / "samples.npz"
    whole = file.read_bytes()
    middle = whole.index(b".npy") + 60
    for damaged in (b"", whole[:100], whole[:-30], whole[:middle] + bytes(20) + whole[middle + 20 :]):
        file.write_bytes(damaged)
        with pytest.raises(ModelFileError, match="unreadable contract"):
            read_contract(tmp_path)


def test_samples_never_unpickle(tmp_path: Path) -> None:
    write_contract(contract(), tmp_path)
    np.savez(tmp_path / FOLDER / "samples.npz", **{"0/inputs/a": np.array([object()])})
    with pytest.raises(ModelFileError, match="unreadable contract"):
        read_contract(tmp_path)


def test_the_document_is_for_people_too(tmp_path: Path) -> None:
    write_contract(contract(), tmp_path)
    document = json.loads((tmp_path / FOLDER / "contract.json").read_text())
    assert document["signatures"][0]["inputs"] == [{"dtype": "float32", "name": "a/b", "shape": [None, 2]}]
