"""The body of an HTTP request while it comes in."""

from __future__ import annotations

from io import BytesIO

IN_PLACE_BYTES = 32 * 1024 * 1024
"""From here on, memory is the system's anew each time: a second copy would cost as much time as parsing."""
_EARNEST = 4
"""The part of a body, as 1 of so many, that has to be there before there is room for all of it."""


class Body:
    """Collects the parts of a body. Those of a large one go to their place in the whole."""

    __slots__ = ("_file", "_parts", "expected", "size")

    def __init__(self) -> None:
        self.expected = 0
        """The Content-Length, 0 where there is none."""
        self.size = 0
        """Bytes that are here."""
        self._parts: list[bytes] = []
        self._file: BytesIO | None = None

    def add(self, data: bytes) -> None:
        """Take the next part."""
        self.size += len(data)
        if self._file:
            self._file.write(data)
            return
        self._parts.append(data)
        if self.expected >= IN_PLACE_BYTES and self.size * _EARNEST >= self.expected:
            self._file = BytesIO()
            self._file.seek(self.expected - 1)
            self._file.write(b"\0")
            self._file.seek(0)
            self._file.writelines(self._parts)
            self._parts.clear()

    def whole(self) -> bytes:
        """Return the body once all of it is here; it is not copied again if it was put together before."""
        return self._file.getvalue() if self._file else b"".join(self._parts)
