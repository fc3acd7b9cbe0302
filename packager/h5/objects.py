"""The groups and datasets of an HDF5 file, found by following hard links only, each object once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from h5py import h5d, h5f, h5g, h5l, h5o

from packager.h5 import rules
from packager.h5.attributes import READ_ERRORS, decode, read_text, read_texts
from packager.h5.rules import printable, quote
from packager.h5.storage import StoredDataset, describe, outside_source, size_findings, total_findings
from packager.values import Finding, WeightDataset

_MOST_OBJECTS = 20_000
"""Groups, datasets and links; NASNetLarge with its optimizer's moments has some 6,000."""
_DEEPEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a file holds, by absolute path, in the order of the file."""

    groups: dict[str, h5g.GroupID] = field(default_factory=dict)
    datasets: dict[str, WeightDataset] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def text(self, group: str, attribute: str) -> str | None:
        """Return an attribute's text, ``None`` where there is no such group or attribute."""
        return read_text(self.groups[group], attribute) if group in self.groups else None

    def name(self, group: str, attribute: str) -> str | None:
        """Return the name in an attribute, printable as all names here are."""
        text = self.text(group, attribute)
        return printable(text) if text else None

    def names(self, group: str, attribute: str) -> tuple[str, ...] | None:
        """Return the names in an attribute, ``None`` where there is no such group or attribute."""
        texts = read_texts(self.groups[group], attribute) if group in self.groups else None
        return None if texts is None else tuple(map(printable, texts))


def survey(file: h5f.FileID, file_size: int) -> Contents:
    """Follow the hard links from the root and return what they lead to, with findings on the way."""
    walk = _Walk(file_size)
    walk.run(file)
    walk.contents.findings.extend(total_findings(walk.stored, file_size))
    return walk.contents


class _Link(NamedTuple):
    name: bytes
    kind: int
    address: int
    """Of the object, for a hard link."""


class _Walk:
    """One walk over a file, depth first; an object is known again by its address."""

    def __init__(self, file_size: int) -> None:
        self.contents = Contents()
        self.stored: list[StoredDataset] = []
        self._file_size = file_size
        self._paths: dict[int, str] = {}
        self._pending: list[tuple[str, h5g.GroupID]] = []

    def run(self, file: h5f.FileID) -> None:
        try:
            root = h5g.open(file, b"/")
            self._paths[h5o.get_info(root).addr] = "/"
        except READ_ERRORS as error:
            self._find(rules.DAMAGED.at("/", f"the root group cannot be read: {error}"))
            return
        self._pending.append(("/", root))
        while self._pending:
            path, group = self._pending.pop()
            self.contents.groups[path] = group
            below = len(self._pending)
            self._visit(path, group)
            self._pending[below:] = reversed(self._pending[below:])

    def _visit(self, path: str, group: h5g.GroupID) -> None:
        if path.count("/") > _DEEPEST:
            self._find(rules.TOO_MANY_OBJECTS.at(path, f"groups nested more than {_DEEPEST} deep"))
            return
        for link in self._links(path, group):
            child = f"{path.rstrip('/')}/{printable(decode(link.name))}"
            try:
                self._follow(child, group, link)
            except READ_ERRORS as error:
                self._find(rules.DAMAGED.at(child, f"{quote(child)} cannot be read: {error}"))

    def _links(self, path: str, group: h5g.GroupID) -> list[_Link]:
        """Return the links of a group in natural order (``2`` before ``10``)."""
        links: list[_Link] = []

        def collect(name: bytes, info: h5l.LinkInfo) -> bool | None:
            links.append(_Link(name, info.type, info.u))
            return len(links) + len(self._paths) > _MOST_OBJECTS or None

        try:
            stopped, _ = group.links.iterate(collect, info=True)
        except READ_ERRORS as error:
            self._find(rules.DAMAGED.at(path, f"group {quote(path)} cannot be read: {error}"))
            return []
        if stopped:
            self._find(rules.TOO_MANY_OBJECTS.at(path, f"more than {_MOST_OBJECTS:,} objects"))
            self._pending.clear()
            return []
        return sorted(links, key=_natural)

    def _follow(self, path: str, group: h5g.GroupID, link: _Link) -> None:
        if link.kind == h5l.TYPE_HARD:
            if (first := self._paths.setdefault(link.address, path)) == path:
                self._open(path, group, link.name)
            else:
                self._alias(path, first)
        elif link.kind == h5l.TYPE_SOFT:
            target = decode(group.links.get_val(link.name))
            self._find(rules.SOFT_LINK.at(path, f"{quote(path)} is a soft link to {quote(target)}"))
        elif link.kind == h5l.TYPE_EXTERNAL:
            file, target = map(decode, group.links.get_val(link.name))
            self._find(
                rules.EXTERNAL_LINK.at(path, f"{quote(path)} links to {quote(target)} in {quote(file)}")
            )
        else:
            self._find(rules.UNKNOWN_LINK.at(path, f"{quote(path)} is a link of kind {link.kind}"))

    def _alias(self, path: str, first: str) -> None:
        """Note a second name; a dataset is a dataset under each of its names."""
        self._find(rules.HARD_LINK.at(path, f"{quote(path)} is another name of {quote(first)}"))
        if first in self.contents.datasets:
            self.contents.datasets[path] = replace(self.contents.datasets[first], path=path)

    def _open(self, path: str, group: h5g.GroupID, name: bytes) -> None:
        opened = h5o.open(group, name)
        if isinstance(opened, h5g.GroupID):
            self._pending.append((path, opened))
        elif isinstance(opened, h5d.DatasetID):
            self._add(path, opened)

    def _add(self, path: str, dataset: h5d.DatasetID) -> None:
        properties = dataset.get_create_plist()
        if outside := outside_source(path, properties):
            self._find(outside)
            return
        stored = describe(path, dataset, properties)
        self.stored.append(stored)
        self.contents.datasets[path] = stored.weight
        self.contents.findings.extend(size_findings(stored, self._file_size))

    def _find(self, finding: Finding) -> None:
        self.contents.findings.append(finding)


def _natural(link: _Link) -> list[bytes | int]:
    parts = re.split(rb"(\d{1,9})", link.name)
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]
