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
