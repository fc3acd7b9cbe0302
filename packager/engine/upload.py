"""A stream of our own bytes on its way to the engine: counted, and its own failures told as such."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import requests

from packager.progress import Report, say


class _Upload:
    """Chunks that a request sends, once; remembers what went wrong at making them."""

    def __init__(self, chunks: Iterable[bytes], doing: str, report: Report) -> None:
        self._chunks = chunks
        self._doing = doing
        self._report = report
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[bytes]:
        sent = 0
        try:
            for chunk in self._chunks:
                yield chunk
                sent += len(chunk)
                say(self._report, self._doing, done=sent)
        except Exception as error:
            self.failure = error
            raise


@contextmanager
def sending(chunks: Iterable[bytes], doing: str, report: Report) -> Iterator[Iterable[bytes]]:
    """Give a request ``chunks`` to send, and raise what went wrong at making them.

    Without this, a file of ours that cannot be read looks like a broken connection to the engine.
    """
    upload = _Upload(chunks, doing, report)
    try:
        yield upload
    except requests.RequestException:
        if upload.failure is not None:
            raise upload.failure from None
        raise
