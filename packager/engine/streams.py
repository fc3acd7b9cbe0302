"""The engine's streams of JSON events: read to the end, shown as progress, and failed when they say so.

The docker SDK's own ``images.push`` and ``images.pull`` drop the ``error`` events of these streams.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from packager.engine.failures import StreamError
from packager.progress import Report, detail, say

StreamEvent = Mapping[str, Any]

_MOVING = ("Downloading", "Pushing")


def checked(events: Iterable[StreamEvent]) -> Iterator[StreamEvent]:
    """Yield the events, or raise StreamError at the first that reports a failure."""
    for event in events:
        if "error" in event:
            raise StreamError(str((event.get("errorDetail") or {}).get("message") or event["error"]).strip())
        yield event


def follow_transfer(events: Iterable[StreamEvent], doing: str, report: Report) -> dict[str, Any]:
    """Read a pull or push to its end, telling bytes over all layers; return the last ``aux`` object."""
    done: dict[str, int] = {}
    total: dict[str, int] = {}
    result: dict[str, Any] = {}
    for event in checked(events):
        result = event.get("aux") or result
        progress = event.get("progressDetail") or {}
        if event.get("status") in _MOVING and progress.get("total"):
            done[event["id"]] = min(progress.get("current", 0), progress["total"])
            total[event["id"]] = progress["total"]
            say(report, doing, done=sum(done.values()), total=sum(total.values()))
        elif "status" in event and not progress:
            detail(report, " ".join(filter(None, (event.get("id"), event["status"]))))
    return result


class BuildLog:
    """What the engine tells of a build: shown as it comes, its tail kept for the error message."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._lines: list[str] = []
        self.image_id: str | None = None
        self.unfinished: str | None = None
        """The image that the latest step left, so that it can be removed when a later one fails."""

    def follow(self, events: Iterable[StreamEvent]) -> None:
        """Read the events to their end."""
        for event in checked(events):
            self.image_id = (event.get("aux") or {}).get("ID", self.image_id)
            for line in filter(None, map(str.strip, event.get("stream", "").splitlines())):
                self._take(line)

    def tail(self, lines: int = 20) -> str:
        """Return the last lines."""
        return "\n".join(self._lines[-lines:])

    def _take(self, line: str) -> None:
        self._lines.append(line)
        if line.startswith("---> ") and len(line.split()) == 2:
            self.unfinished = line.split()[1]
        if line.startswith("Step "):
            say(self._report, line)
        else:
            detail(self._report, line)
