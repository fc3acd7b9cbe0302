"""A build in the engine: told step by step, and cleaned up after when it fails or is interrupted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import requests
from docker import APIClient

from packager.engine.failures import build_failure, translated
from packager.engine.streams import StreamEvent, checked
from packager.engine.upload import sending
from packager.progress import Report, detail, say, warn
from packager.values import ImageReference

_AFTER_FAILURE = (0.0,)
_AFTER_INTERRUPTION = (0.2, 0.5, 1.0)
"""Seconds before each look for what a build left: one that was interrupted goes on for a moment."""


def run_build(
    client: APIClient,
    context: Iterable[bytes],
    *,
    tag: ImageReference,
    arguments: Mapping[str, str],
    labels: Mapping[str, str],
    platform: str | None,
    report: Report,
) -> str:
    """Build ``context``, a tar stream, as ``tag``; return the image's ID, or raise BuildError.

    A build that fails or is interrupted leaves neither containers nor untagged images.
    """
    log = _BuildLog(report)
    try:
        with (
            translated("building the image", explain=lambda text: build_failure(tag, text, log.tail())),
            sending(context, "sending the build context", report) as upload,
            _hung_up_on(client),
        ):
            log.follow(
                client.build(
                    fileobj=cast(Any, upload),
                    custom_context=True,
                    tag=str(tag),
                    buildargs=dict(arguments),
                    labels=dict(labels),
                    platform=platform,
                    rm=True,
                    forcerm=True,
                    decode=True,
                )
            )
    except Exception:
        _discard_after(client, log.latest, _AFTER_FAILURE, report)
        raise
    except BaseException:
        _discard_after(client, log.latest, _AFTER_INTERRUPTION, report)
        raise
    return log.image_id or str(tag)


class _BuildLog:
    """What the engine tells of a build: shown as it comes, its tail kept for the error message."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._lines: list[str] = []
        self.image_id: str | None = None
        self.latest: str | None = None
        """The image that the latest step left: at first the base."""

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
        words = line.split()
        if words[0] == "--->" and len(words) == 2:
            self.latest = words[1]
        if words[0] == "Step":
            say(self._report, line)
        else:
            detail(self._report, line)


@contextmanager
def _hung_up_on(client: APIClient) -> Iterator[None]:
    """Close the connections of the requests made inside: an engine gives up a build that nobody reads.

    Left to the garbage collector they stay open for as long as an exception's traceback lives.
    """
    responses: list[requests.Response] = []

    def remember(response: requests.Response, **_: object) -> None:
        responses.append(response)

    client.hooks["response"].append(remember)
    try:
        yield
    finally:
        client.hooks["response"].remove(remember)
        for response in responses:
            response.close()


def _discard_after(client: APIClient, latest: str | None, pauses: Iterable[float], report: Report) -> None:
    """Remove the image of the ``latest`` step, and that of a step after it which was not told any more."""
    if latest is None:
        return
    left: set[str] = set()
    for pause in pauses:
        time.sleep(pause)
        try:
            dangling = client.images(filters={"dangling": True})
            left = {image["Id"] for image in dangling if _is_from(latest, image)}
            for image_id in tuple(left):
                client.remove_image(image_id)
                left.remove(image_id)
        except requests.RequestException as error:  # a step still holds it, or the engine is gone
            detail(report, f"cannot remove what the build left: {error}")
    if left:
        warn(report, f"the build left {' '.join(left)}: docker image rm {' '.join(left)}")


def _is_from(latest: str, image: Mapping[str, Any]) -> bool:
    """Tell whether an image came from the ``latest`` step or right after it, and has no name.

    The log tells the first twelve digits of an ID.
    """
    names = (*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ()))
    ids = (image["Id"], image.get("ParentId") or "")
    return any(known.startswith(f"sha256:{latest}") for known in ids) and all(
        name.startswith("<none>") for name in names
    )
