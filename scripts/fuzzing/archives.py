"""What is done to a valid ``.keras`` archive: to its members, their names, contents and headers."""

from __future__ import annotations

import json
import stat
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from fuzzing.mutations import change_bytes, change_json, change_numbers, mutate

NAMES = """
    ../config.json /etc/cron.d/x assets/../../x C:\\x config.json model.weights.h5 metadata.json assets/
    assets/layers/string_lookup/vocabulary.txt assets/x/vocabulary.txt __MACOSX/config.json a/config.json
""".split()  # noqa: SIM905 - a list of names reads best as words
TEXTS = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'{"class_name": 1}',
    b"\xff\xfe",
    b"a\n" * 500,
    b"\x00" * 50,
    b"1" * 9000,
]
ZEROS = 80 << 20
"""Bytes of a bomb: more than an archive may hold whatever its ratio is."""
_CENTRAL, _END = b"PK\x01\x02", b"PK\x05\x06"


@dataclass(frozen=True)
class Member:
    """One entry of a zip file."""

    name: str
    data: bytes
    method: int = zipfile.ZIP_STORED
    mode: int = 0


def mutate_archive(path: Path, random: Random) -> None:
    """Change the archive at ``path`` in one or a few ways."""
    how = random.random()
    if how < 0.8:
        members = read_members(path)
        kinds = [change_text, change_weights, change_entries]
        for _ in range(random.choice([1, 1, 1, 2, 3])):
            members = random.choices(kinds, [5, 3, 3])[0](members, random)
        write_members(path, members)
    if how > 0.75:
        (change_headers if random.random() < 0.7 else change_bytes)(path, random)


def read_members(path: Path) -> list[Member]:
    with zipfile.ZipFile(path) as archive:
        return [Member(info.filename, archive.read(info)) for info in archive.infolist()]


def write_members(path: Path, members: list[Member]) -> None:
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # two members of one name are what is meant
        for member in members:
            info = zipfile.ZipInfo(member.name)  # of 1980: the same seed makes the same file
            info.external_attr = member.mode << 16
            archive.writestr(info, member.data, member.method)


def change_text(members: list[Member], random: Random) -> list[Member]:
    """Change JSON in the architecture or the metadata, or an entry of a vocabulary."""
    number = random.choice([n for n, m in enumerate(members) if not m.name.endswith(".h5")] or [0])
    changed = members[number]
    try:
        value = json.loads(changed.data)
        change_json(value, random)
        text = json.dumps(value).encode()
    except ValueError:
        lines = changed.data.splitlines()
        random.shuffle(lines)
        text = b"\n".join([*lines, random.choice(TEXTS)])
    text = random.choice(TEXTS) if random.random() < 0.05 else text
    return _with(members, number, replace(changed, data=text))


def change_weights(members: list[Member], random: Random) -> list[Member]:
    """Change the HDF5 file inside, as one that stands alone."""
    number = next((n for n, m in enumerate(members) if m.name.endswith(".h5")), 0)
    with tempfile.NamedTemporaryFile(suffix=".h5") as file:
        path = Path(file.name)
        path.write_bytes(members[number].data)
        mutate(path, random)
        return _with(members, number, replace(members[number], data=path.read_bytes()))


def change_entries(members: list[Member], random: Random) -> list[Member]:
    """Swap, rename, drop, double, link, compress or blow up what the archive holds."""
    number, other = random.randrange(len(members)), random.randrange(len(members))
    one, two = members[number], members[other]
    link = Member("assets/link", b"/etc/hostname", mode=stat.S_IFLNK | 0o777)
    changes: list[Callable[[], list[Member]]] = [
        lambda: _with(
            _with(members, number, replace(one, data=two.data)), other, replace(two, data=one.data)
        ),
        lambda: _with(members, number, replace(one, name=random.choice(NAMES))),
        lambda: _with(
            members, number, replace(one, name=one.name + random.choice(["\0x", "é", "/", "x" * 999]))
        ),
        lambda: [*members[:number], *members[number + 1 :]] or members,
        lambda: [*members, one],
        lambda: [*members, Member(random.choice(NAMES), random.choice(TEXTS))],
        lambda: _with(members, number, link) if random.random() < 0.5 else [*members, link],
        lambda: [*members, *(Member(f"assets/{n}", b"") for n in range(random.choice([100, 10_001])))],
        lambda: _compressed(members, random),
        lambda: _blown_up(members, number, random),
    ]
    return random.choices(changes, [3, 3, 3, 3, 3, 3, 3, 1, 3, 1])[0]()


def _compressed(members: list[Member], random: Random) -> list[Member]:
    """Compress the texts: the weights hold times, and would not be as long each time."""
    method = random.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    return [m if m.name.endswith(".h5") else replace(m, method=method) for m in members]


def _blown_up(members: list[Member], number: int, random: Random) -> list[Member]:
    data = random.choice([bytes(ZEROS), b" " * ZEROS])
    return _with(members, number, replace(members[number], data=data, method=zipfile.ZIP_DEFLATED))


def change_headers(path: Path, random: Random) -> None:
    """Change bytes, or numbers of two or four bytes, in the directory of the zip file."""
    data = bytearray(path.read_bytes())
    starts = [n for n in range(len(data)) if data[n : n + 4] in (_CENTRAL, _END, b"PK\x03\x04")] or [0]
    for _ in range(random.choice([1, 1, 2, 8])):
        change_numbers(data, random.choice(starts), random)
    path.write_bytes(data)


def _with(members: list[Member], number: int, member: Member) -> list[Member]:
    return [*members[:number], member, *members[number + 1 :]]
