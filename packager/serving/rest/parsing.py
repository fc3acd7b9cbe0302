"""Parses with simdjson in memory that is kept as long as it is of use.

Its parser needs about two and a half times the size of the body that it reads. Fresh memory would cost as
much time as the parsing does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from simdjson import Parser

from packager.serving.rest.dense import IrregularError

_T = TypeVar("_T")

_KEPT_BYTES = 4 * 1024 * 1024
"""The largest body whose memory is kept for good."""
_SECONDS = 2.0
"""How long that of a larger one is kept after the last such."""


class Parsing:
    """One parser for all threads: simdjson parses without leaving the interpreter to others anyway."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parser = Parser()
        self._large_until = 0.0
        """When to give the memory of large bodies back, by the monotonic clock; 0 if there is none."""

    def read(self, body: bytes, take: Callable[[Any], _T]) -> _T:
        """Parse a body, and return what ``take`` makes of the document; or raise IrregularError.

        Nothing of the document may be kept.
        """
        with self._lock:
            return take(self._parse(body))

    def _parse(self, body: bytes) -> Any:
        if len(body) > _KEPT_BYTES:
            self._keep_for_a_while()
        try:
            try:
                return self._parser.parse(body)
            except RuntimeError:  # it may be that an error on its way still refers to the document before
                return Parser().parse(body)
        except (ValueError, RuntimeError, MemoryError) as error:
            raise IrregularError from error

    def _keep_for_a_while(self) -> None:
        is_kept = self._large_until > 0
        self._large_until = time.monotonic() + _SECONDS
        if not is_kept:
            self._look_after(_SECONDS)

    def _look_after(self, seconds: float) -> None:
        timer = threading.Timer(seconds, self._let_go)
        timer.daemon = True
        timer.start()

    def _let_go(self) -> None:
        """Give the memory back, or look again later if it was used in between."""
        with self._lock:
            left = self._large_until - time.monotonic()
            if left > 0:
                self._look_after(left)
            else:
                self._parser, self._large_until = Parser(), 0.0
