"""Which phase a smoke test is in, and how long each one took."""

from __future__ import annotations

import time
from collections.abc import Callable

from packager.values import Phase


class Timeline:
    """The phases of one smoke test; one that was begun and never ended is where the test failed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._past: list[Phase] = []
        self._name: str | None = None
        self._since = 0.0

    def begin(self, name: str) -> None:
        """End the present phase, if there is one, and begin the phase ``name``."""
        self.end()
        self._name, self._since = name, self._clock()

    def end(self) -> None:
        """End the present phase well."""
        if self._name is not None:
            self._past.append(self._present(self._name, ok=True))
            self._name = None

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases so far, the last one not ``ok`` where it has not ended."""
        present = () if self._name is None else (self._present(self._name, ok=False),)
        return (*self._past, *present)

    def _present(self, name: str, *, ok: bool) -> Phase:
        return Phase(name=name, seconds=self._clock() - self._since, ok=ok)
