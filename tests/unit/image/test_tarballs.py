"""Tar streams: valid for everybody's tar, and the same bytes from the same tree."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.errors import BuildError
from packager.image.tarball import CHUNK, Entry, folder, tar_stream, tree, with_parents

names = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="/\0"), min_size=1, max_size=120
).filter(lambda name: name not in (".", ".."))


def members(stream: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(stream)) as archive:
        return {member.name: member for member in archive}


@given(st.dictionaries(names, st.binary(max_size=2000), max_size=8))
def test_what_is_written_is_read_back(files: dict[str, bytes]) -> None:
    stream = b"".join(tar_stream(Entry(path=f"models/{n}", content=c) for n, c in files.items()))
    assert len(stream) % tarfile.RECORDSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(stream)) as archive:
        read = {m.name: archive.extractfile(m).read() for m in archive}  # type: ignore[union-attr]
    assert read == {f"models/{name}": content for name, content in files.items()}


def test_gnu_tar_agrees(tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(os.urandom(CHUNK + 7))
    entries = [
        folder("a"),
        Entry(path="a/big", source=big),
        Entry(path="a/link", link="big"),
        Entry(path="a/run", content=b"#!/bin/sh\n", mode=0o755),
    ]
    archive = tmp_path / "archive.tar"
    archive.write_bytes(b"".join(tar_stream(entries, mtime=1_000_000_000)))
    subprocess.run(["tar", "-xf", str(archive)], cwd=tmp_path, check=True)
    assert (tmp_path / "a" / "big").read_bytes() == big.read_bytes()
    assert (tmp_path / "a" / "link").readlink() == Path("big")
    assert (tmp_path / "a" / "run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "a" / "run").stat().st_mtime == 1_000_000_000


def grown(root: Path, order: list[str], mode: int, mtime: int) -> bytes:
    """Make the same tree in another order, by another owner's habits, at another time."""
    for name in order:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
        path.chmod(mode)
        os.utime(path, (mtime, mtime))
    return b"".join(tar_stream(tree(root, "models/digits/1")))


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    files = ["saved_model.pb", "variables/variables.index", "assets.extra/x", "a.b", "a/b"]
    one = grown(tmp_path / "one", files, 0o600, 1)
    two = grown(tmp_path / "two", files[::-1], 0o755, 2_000_000_000)
    assert one == two
    for member in members(one).values():
        assert (member.uid, member.gid, member.uname, member.mtime) == (0, 0, "", 0)
        assert member.mode == (0o755 if member.isdir() else 0o644)


def test_folders_come_before_what_they_hold() -> None:
    entries = with_parents([Entry(path="a/b/c", content=b""), Entry(path="a/b-c/d"), folder("tmp", 0o1777)])
    assert [entry.path for entry in entries] == ["a", "a/b", "a/b/c", "a/b-c", "a/b-c/d", "tmp"]
    assert entries[-1].mode == 0o1777


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"content")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "real")
    member = members(b"".join(tar_stream(tree(tmp_path / "tree", "m"))))["m/link"]
    assert (member.type, member.size) == (tarfile.REGTYPE, 7)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BuildError, match="neither a file nor a folder"):
        list(tree(tmp_path, "m"))


@pytest.mark.parametrize("change", [b"longer than it was", b""])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, change: bytes) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"12345678")
    stream = tar_stream([Entry(path="weights", source=file)])
    next(stream)  # the header, with the size
    file.write_bytes(change)
    with pytest.raises(BuildError, match="changed while it was read"):
        list(stream)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="absent': No such file"):
        list(tar_stream([Entry(path="absent", source=tmp_path / "absent")]))


@pytest.mark.parametrize("path", ["", "/a", "a/", "../a", "a/../b", "a//b", "./a"])
def test_an_entry_lies_below_the_root(path: str) -> None:
    with pytest.raises(ValueError, match="not a relative, normal path"):
        Entry(path=path)
