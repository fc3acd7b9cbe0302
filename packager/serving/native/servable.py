"""One loaded version of a model, and the count of who is using it: unloading waits for them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from packager.serving.native.lite import FILE, LiteSession
from packager.serving.native.residency import give_back_pages
from packager.serving.native.session import Session
from packager.serving.native.signatures import Signature, read_signatures
from packager.serving.native.tensors import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How every SavedModel is loaded."""

    tags: tuple[str, ...] = ("serve",)
    session_config: bytes = b""
    """A serialised ConfigProto."""
    lite_interpreters: int = 0
    """How many interpreters run a TensorFlow Lite model where there is one; with 0 none is looked for."""


class Runner(Protocol):
    """What runs a graph: a session, or what stands before one."""

    def run(
        self, feeds: Sequence[tuple[str, Tensor]], fetches: Sequence[str], *, timeout_ms: int = 0
    ) -> list[Tensor]:
        """Feed tensors by the names that they have in the graph, and fetch others."""

    @property
    def quick(self) -> bool:
        """Whether the next run may be expected to be over at once."""

    def close(self) -> None:
        """Free the graph. No run may be under way."""


class Servable:
    """A version of a model that can be asked until it is closed.

    Whoever asks says so first: ``if servable.enter(): with servable: …``.
    """

    def __init__(self, name: str, version: int, session: Runner, signatures: dict[str, Signature]) -> None:
        self.name = name
        self.version = version
        self.session = session
        self.signatures = signatures
        self._users = 0
        self._closing = False
        self._lock = threading.Lock()
        self._left = threading.Condition(self._lock)

    @classmethod
    def load(cls, name: str, version: int, folder: Path, options: LoadOptions) -> Servable:
        """Load the SavedModel in ``folder``, or raise StatusError."""
        session: Session | LiteSession
        if options.lite_interpreters and (folder / FILE).is_file():
            session = LiteSession(folder / FILE, interpreters=options.lite_interpreters)
        else:
            session = Session(folder, tags=options.tags, config=options.session_config)
        signatures = read_signatures(session.meta_graph)
        session.meta_graph = b""
        give_back_pages()
        return cls(name, version, session, signatures)

    def enter(self) -> bool:
        """Keep the servable open until the end of a ``with``, unless it is closed or closing: then false."""
        with self._lock:
            self._users += not self._closing
            return not self._closing

    def __enter__(self) -> Servable:
        return self

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._users -= 1
            if self._closing:
                self._left.notify_all()

    def close(self) -> None:
        """Let nobody in, wait until everybody is out, and free the model."""
        with self._lock:
            self._closing = True
            self._left.wait_for(lambda: self._users == 0)
        self.session.close()
