"""Text attributes are read however they were written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5a, h5s, h5t

from packager.errors import ModelFileError
from packager.h5.attributes import read_text, read_texts


@pytest.fixture
def file(tmp_path: Path) -> Any:
    with h5py.File(tmp_path / "attributes.h5", "w", libver="latest") as opened:
        yield opened


def text_of(file: h5py.File, value: Any, **options: Any) -> str | None:
    file.attrs.create("told", value, **options)
    return read_text(file.id, "told")


@pytest.mark.parametrize(
    "value",
    [
        "héllo",
        "héllo".encode(),
        np.bytes_("héllo".encode()),
        np.void("héllo".encode()),
        np.array(["héllo".encode()]),
        np.array("héllo", dtype=h5py.string_dtype()),
        np.array(["hé", "llo"], dtype=h5py.string_dtype()),
        np.array([["hé".encode()], [b"llo"]]),
    ],
    ids=["str", "bytes", "fixed", "opaque", "array", "0-d", "parts", "2-d"],
)
def test_every_spelling_of_a_text(file: h5py.File, value: Any) -> None:
    assert text_of(file, value) == "héllo"


def test_what_is_no_text_is_none_or_empty(file: h5py.File) -> None:
    assert read_text(file.id, "told") is None
    assert text_of(file, h5py.Empty("S10")) == ""
    assert text_of(file, np.array([])) == ""
    assert text_of(file, 3.5) == "3.5"
    assert text_of(file, file.ref) == "<HDF5 object reference>"


def test_bytes_that_are_no_utf8_stay_visible(file: h5py.File) -> None:
    assert text_of(file, np.bytes_(b"a\xff")) == "a\\xff"
    assert text_of(file, b"a\xff", dtype=h5py.string_dtype()) == "a\\xff"


def test_chunks_are_joined_in_order(file: h5py.File) -> None:
    for number in range(11):
        file.attrs[f"layer_names{number}"] = [f"layer_{number}".encode(), b"x"]
    names = read_texts(file.id, "layer_names")
    assert names is not None
    assert names[::2] == tuple(f"layer_{number}" for number in range(11))


def test_a_chunked_text_is_one_text(file: h5py.File) -> None:
    file.attrs["model_config0"], file.attrs["model_config1"] = '{"class_', 'name": "Model"}'
    assert read_text(file.id, "model_config") == '{"class_name": "Model"}'


def test_a_huge_attribute_is_refused_before_it_is_read(file: h5py.File) -> None:
    kind = h5t.C_S1.copy()
    kind.set_size(2**15)
    h5a.create(file.id, b"told", kind, h5s.create_simple((2**12,)))
    with pytest.raises(ModelFileError, match="attribute 'told' is larger than 32 MiB"):
        read_text(file.id, "told")


def test_chunks_that_are_huge_together_are_refused(file: h5py.File) -> None:
    for number in range(3):
        file.attrs.create(f"told{number}", "x" * 2**24, dtype=h5py.string_dtype())
    with pytest.raises(ModelFileError, match="attribute 'told' is larger than 32 MiB"):
        read_text(file.id, "told")


def test_more_chunks_than_keras_makes_are_refused(file: h5py.File) -> None:
    for number in range(1100):
        file.attrs[f"told{number}"] = "x"
    with pytest.raises(ModelFileError, match="or in more than 1,024 pieces"):
        read_text(file.id, "told")
