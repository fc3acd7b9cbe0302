"""Version policies: which of the versions in a model's folder should be loaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latest:
    """The highest ``count`` versions."""

    count: int = 1

    def choose(self, found: Iterable[int]) -> list[int]:
        """Return the versions to load, of those found, the highest first."""
        return sorted(found, reverse=True)[: self.count]


@dataclass(frozen=True, slots=True)
class All:
    """Every version."""

    def choose(self, found: Iterable[int]) -> list[int]:
        """Return the versions to load, of those found, the highest first."""
        return sorted(found, reverse=True)


@dataclass(frozen=True, slots=True)
class Specific:
    """These versions, whatever else there is."""

    versions: frozenset[int]

    def choose(self, found: Iterable[int]) -> list[int]:
        """Return the versions to load, of those found, the highest first."""
        return sorted(self.versions.intersection(found), reverse=True)


VersionPolicy = Latest | All | Specific
