"""The checkpoint's files, without TensorFlow: what a reader of the documented format finds in them."""

from __future__ import annotations

import struct
from pathlib import Path

import google_crc32c
import pytest

from packager.savedmodel import table
from packager.savedmodel.bundle import BundleWriter, data_files
from packager.savedmodel.table import masked, table_bytes, unmasked, varint


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def read_block(table: bytes, offset: int, size: int) -> list[tuple[bytes, bytes]]:
    block, trailer = table[offset : offset + size], table[offset + size : offset + size + 5]
    assert trailer == b"\0" + struct.pack("<I", masked(google_crc32c.value(block + b"\0")))
    (restarts,) = struct.unpack("<I", block[-4:])
    end, at, key, entries = len(block) - 4 - 4 * restarts, 0, b"", []
    while at < end:
        shared, at = read_varint(block, at)
        rest, at = read_varint(block, at)
        length, at = read_varint(block, at)
        key = key[:shared] + block[at : at + rest]
        entries.append((key, block[at + rest : at + rest + length]))
        at += rest + length
    return entries


def read_table(table: bytes) -> list[list[tuple[bytes, bytes]]]:
    footer = table[-48:]
    assert footer[40:] == struct.pack("<Q", 0xDB4775248B80FB57)
    at = 0
    numbers = []
    for _ in range(4):
        number, at = read_varint(footer, at)
        numbers.append(number)
    blocks = []
    for key, handle in read_block(table, *numbers[2:]):
        offset, at = read_varint(handle, 0)
        size, _ = read_varint(handle, at)
        blocks.append(read_block(table, offset, size))
        assert blocks[-1][-1][0] <= key, "a block's key in the index is none below its last"
    return blocks


def test_a_table_gives_back_what_was_put_in() -> None:
    entries = [(b"%07d" % i, b"v" * (i % 300)) for i in range(5000)]
    blocks = read_table(table_bytes(entries))
    assert [entry for block in blocks for entry in block] == entries
    assert len(blocks) > 1


def test_an_empty_table_is_one() -> None:
    assert read_table(table_bytes([])) == []
    assert list(table.read_table(table_bytes([]))) == []


def test_a_table_is_read_back_unless_it_is_damaged() -> None:
    entries = [(b"%07d" % i, b"v" * (i % 300)) for i in range(5000)]
    written = table_bytes(entries)
    assert list(table.read_table(written)) == entries
    for at in (10, len(written) // 2, len(written) - 60, len(written) - 3):
        damaged = bytearray(written)
        damaged[at] ^= 1
        with pytest.raises(ValueError, match=r"its bytes are not those|does not end as a table"):
            list(table.read_table(bytes(damaged)))
    with pytest.raises(ValueError, match="does not end as a table"):
        list(table.read_table(b""))


@pytest.mark.parametrize("crc", [0, 1, 0x12345678, 2**32 - 1])
def test_masks_are_taken_off(crc: int) -> None:
    assert unmasked(masked(crc)) == crc


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**31, 2**63 - 1])
def test_numbers_survive(value: int) -> None:
    assert read_varint(varint(value), 0) == (value, len(varint(value)))


def test_tensors_lie_one_after_the_other(tmp_path: Path) -> None:
    with BundleWriter(tmp_path / "variables") as bundle:
        bundle.add("b", dtype=1, shape=(2, 3), blocks=[b"12345678", bytearray(b"90"), memoryview(b"x" * 14)])
        bundle.add("a", dtype=4, shape=(), blocks=[b"7"])
        bundle.add("none", dtype=1, shape=(0,), blocks=[])
    assert (tmp_path / "variables.data-00000-of-00001").read_bytes() == b"1234567890" + b"x" * 14 + b"7"
    (block,) = read_table((tmp_path / "variables.index").read_bytes())
    assert [key for key, _ in block] == [b"", b"a", b"b", b"none"]
    checksum = struct.pack("<I", masked(google_crc32c.value(b"1234567890" + b"x" * 14)))
    assert dict(block)[b"b"] == b"\x08\x01\x12\x08\x12\x02\x08\x02\x12\x02\x08\x03\x28\x18\x35" + checksum


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two tensors"), BundleWriter(tmp_path / "variables") as bundle:
        for _ in range(2):
            bundle.add("a", dtype=4, shape=(), blocks=[b"7"])
    assert not (tmp_path / "variables.index").exists(), "an unfinished checkpoint has no index"


def test_what_has_not_changed_stays_in_the_same_file(tmp_path: Path) -> None:
    for name, last in (("old", b"tail"), ("new", b"TAIL")):
        with BundleWriter(tmp_path / name, shard=8) as bundle:
            for key, content in (("a", b"12345678"), ("b", b"abc"), ("c", b"defgh"), ("d", last)):
                bundle.add(key, dtype=4, shape=(len(content),), blocks=[content])
    old, new = (
        [(tmp_path / f"{name}.data-0000{i}-of-00003").read_bytes() for i in range(3)]
        for name in ("old", "new")
    )
    assert list(data_files([8, 3, 5, 4], shard=8)) == [0, 1, 1, 2]
    assert old == [b"12345678", b"abcdefgh", b"tail"]
    assert [one == other for one, other in zip(old, new, strict=True)] == [True, True, False]
    assert not list(tmp_path.glob("*.data-?????"))
