"""HDF5 files that reach outside themselves, or declare more than they hold, are found out unread."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5_files import DENSE, dense_model, write_model
from h5py import h5d, h5p, h5s, h5t

from packager.h5 import inspect_file
from packager.values import Severity

Attack = Callable[[h5py.File, Path], None]
WEIGHTS = "model_weights/dense/dense"


def soft_link(file: h5py.File, _: Path) -> None:
    file[f"{WEIGHTS}/link"] = h5py.SoftLink("/model_weights")


def external_link(file: h5py.File, secret: Path) -> None:
    file[f"{WEIGHTS}/link"] = h5py.ExternalLink(secret, "/secret")


def external_storage(file: h5py.File, secret: Path) -> None:
    file.create_dataset(f"{WEIGHTS}/stored", (100,), "u1", external=[(secret, 0, 100)])


def virtual(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout((100,), "u1")
    layout[:] = h5py.VirtualSource(secret, "secret", (100,))
    file.create_virtual_dataset(f"{WEIGHTS}/virtual", layout)


def virtual_by_pattern(file: h5py.File, secret: Path) -> None:
    """Of unlimited extent: libhdf5 opens the sources when it is asked for the shape."""
    space = h5s.create_simple((10, 100), (h5s.UNLIMITED, 100))
    space.select_hyperslab((0, 0), (h5s.UNLIMITED, 1), (1, 1), (1, 100))
    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_virtual(space, os.fsencode(secret), b"secret%b", h5s.create_simple((100,)))
    h5d.create(
        file.id, b"virtual", h5t.STD_U8LE, h5s.create_simple((10, 100), (h5s.UNLIMITED, 100)), properties
    )


def declared_contiguous(file: h5py.File, _: Path) -> None:
    file.create_dataset("declared", (10**6, 10**6), "f4")


def declared_chunked(file: h5py.File, _: Path) -> None:
    file.create_dataset("declared", (10**6, 10**6), "f4", chunks=(1000, 1000))


def many_declared(file: h5py.File, _: Path) -> None:
    for number in range(20):
        file.create_dataset(f"declared{number}", (60 * 2**20,), "u1", chunks=(1000,))


def bomb(file: h5py.File, _: Path) -> None:
    data = file.create_dataset("bomb", (200_000_000,), "f4", chunks=(20_000_000,), compression="gzip")
    data[:20_000_000] = 0


@pytest.mark.parametrize(
    ("attack", "rule", "path"),
    [
        (soft_link, "H5-SOFT-LINK", f"/{WEIGHTS}/link"),
        (external_link, "H5-EXTERNAL-LINK", f"/{WEIGHTS}/link"),
        (external_storage, "H5-EXTERNAL-STORAGE", f"/{WEIGHTS}/stored"),
        (virtual, "H5-VIRTUAL-DATASET", f"/{WEIGHTS}/virtual"),
        (virtual_by_pattern, "H5-VIRTUAL-DATASET", "/virtual"),
        (declared_contiguous, "H5-DECLARED-SIZE", "/declared"),
        (declared_chunked, "H5-DECLARED-SIZE", "/declared"),
        (many_declared, "H5-DECLARED-SIZE", "/"),
        (bomb, "H5-COMPRESSION-BOMB", "/bomb"),
    ],
)
def test_attacks_are_refused_and_nothing_outside_is_opened(
    tmp_path: Path, attack: Attack, rule: str, path: str
) -> None:
    secret = tmp_path / "secret"
    os.mkfifo(secret)  # opening it would wait for a writer
    model = write_model(tmp_path / "model.h5", dense_model(), {"dense": DENSE})
    with h5py.File(model, "r+") as file:
        attack(file, secret)
    inspection = inspect_file(model)
    assert (rule, path) in [(finding.rule, finding.path) for finding in inspection.errors]
    if "DATASET" in rule or "STORAGE" in rule or "EXTERNAL" in rule:
        assert str(secret) in inspection.errors[0].message
    assert inspection.layers[0].parameters == 10


def test_attacks_are_found_in_groups_that_are_not_loaded(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.h5", dense_model(), {"dense": DENSE})
    with h5py.File(model, "r+") as file:
        file["optimizer_weights/Adam/m"] = h5py.ExternalLink("/etc/passwd", "/")
    assert [finding.rule for finding in inspect_file(model).errors] == ["H5-EXTERNAL-LINK"]


@pytest.mark.parametrize("compression", [None, "gzip", "lzf"])
def test_honest_weights_of_every_storage_pass(tmp_path: Path, compression: str | None) -> None:
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        random = np.random.default_rng(1).normal(size=(500, 500)).astype("f4")
        file.create_dataset("trained", data=random, chunks=(100, 100), shuffle=True, compression=compression)
        file.create_dataset("zeros", data=np.zeros((1000, 1000), "f4"), compression=compression)
        file.create_dataset("scalar", data=np.float32(1))
        file.create_dataset("nothing", data=np.zeros((0, 4), "f4"))
    assert inspect_file(tmp_path / "weights.h5").findings == ()


def test_a_dataset_that_was_never_written_is_a_warning(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.create_dataset("forgotten", (100,), "f4")
    (finding,) = inspect_file(tmp_path / "weights.h5").findings
    assert (finding.rule, finding.severity) == ("H5-UNWRITTEN", Severity.WARNING)


def enlarge(path: Path, sizes: dict[int, int]) -> None:
    """Let datasets of so many bytes declare more, and the file be as large as the largest of them."""
    content = path.read_bytes()
    for old, new in sizes.items():  # once in the data space, once in the contiguous layout
        assert content.count(old.to_bytes(8, "little")) >= 2
        content = content.replace(old.to_bytes(8, "little"), new.to_bytes(8, "little"))
    end = len(content) + max(sizes.values())
    path.write_bytes(content[:40] + end.to_bytes(8, "little") + content[48:])  # the superblock's end of file
    os.truncate(path, end)


def test_datasets_laid_over_one_another_are_counted_together(tmp_path: Path) -> None:
    """Each is smaller than the file; all of them together are not."""
    path = tmp_path / "overlaid.h5"
    with h5py.File(path, "w") as file:
        for number in range(1003, 1023):
            file[f"data{number}"] = np.ones(number, "u1")
    enlarge(path, dict.fromkeys(range(1003, 1023), 64 * 2**20))
    assert [(f.rule, f.path) for f in inspect_file(path).errors] == [("H5-DECLARED-SIZE", "/")]


def test_a_dataset_that_ends_behind_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "beyond.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.ones(1003, "u1")
    content = path.read_bytes().replace((1003).to_bytes(8, "little"), (100_003).to_bytes(8, "little"))
    path.write_bytes(content)
    (finding,) = inspect_file(path).errors
    assert finding.path == "/data"
    assert finding.rule in ("H5-DECLARED-SIZE", "H5-DAMAGED")  # from 2.0 on, libhdf5 does not open it


def test_an_unknown_filter_is_told(tmp_path: Path) -> None:
    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_chunk((10,))
    properties.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (1,))
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        h5d.create(file.id, b"zstd", h5t.IEEE_F32LE, h5s.create_simple((10,)), properties)
        file["zstd"][:] = 1
    (finding,) = inspect_file(tmp_path / "weights.h5").findings
    assert (finding.rule, finding.severity) == ("H5-UNKNOWN-FILTER", Severity.WARNING)
    assert "32015" in finding.message


def test_cycles_end_and_second_names_are_told(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.h5", dense_model(), {"dense": DENSE})
    with h5py.File(path, "r+") as file:
        file["model_weights/dense/loop"] = file["/"]
        file["model_weights/alias"] = file[f"{WEIGHTS}/bias:0"]
    inspection = inspect_file(path)
    assert {f.rule for f in inspection.findings} == {"H5-HARD-LINK"}
    assert len(inspection.findings) == 2
    assert inspection.parameters == 10


def test_names_that_are_no_text_stay_printable(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        group = file.create_group("group")
        group.id.links.create_soft(b"\x1b[31m\xff", b"target\x07")
    (finding,) = inspect_file(tmp_path / "weights.h5").findings
    assert (finding.path + finding.message).isprintable()
