"""The states that a version of a model goes through, and what is remembered of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from packager.serving.native.servable import Servable
from packager.serving.status import StatusError


class State(IntEnum):
    """A version's state, by its number in ``get_model_status.proto``."""

    UNKNOWN = 0
    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionStatus:
    """What is told of a version: its state, and the error that ended or delays it."""

    version: int
    state: State
    error: StatusError | None = None


@dataclass(slots=True, kw_only=True)
class Version:
    """A version under management. Changed only by ``Models``, under its lock."""

    model: str
    number: int
    folder: Path
    state: State = State.START
    wanted: bool = True
    """Whether the policy and the file system still want it loaded."""
    failures: int = 0
    """How many attempts to load it failed."""
    error: StatusError | None = None
    servable: Servable | None = None

    def __str__(self) -> str:
        return f"{{name: {self.model} version: {self.number}}}"

    @property
    def settled(self) -> bool:
        """Whether the first attempt to load it is over."""
        return self.state not in (State.START, State.LOADING) or self.failures > 0
