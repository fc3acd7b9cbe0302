"""Removes what was created by a request that was interrupted: the engine carries it out all the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from docker.errors import APIError, NotFound

PATIENCE = 10.0
"""Seconds that a busy engine may take to make what nobody waits for any more."""
_INTERVAL = 0.1


class Creation:
    """Whether the engine has answered the request to create something."""

    def __init__(self) -> None:
        self.answered = True

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Send the request inside a ``with``: an error of the engine is an answer, an interruption none."""
        self.answered = False
        try:
            yield
        except APIError:
            self.answered = True
            raise
        self.answered = True

    def undo(self, remove: Callable[[], object]) -> None:
        """Call ``remove``, again and again as long as what was asked for may yet come into being."""
        deadline = time.monotonic() + (0 if self.answered else PATIENCE)
        while True:
            try:
                remove()
                return
            except NotFound:
                if time.monotonic() >= deadline:
                    return
            time.sleep(_INTERVAL)
