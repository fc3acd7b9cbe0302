"""How long work tells what it is doing: events handed to a callable, rendered by whoever passed it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Level(str, Enum):
    """What an event is: a new stage, progress of a step, a message, or something to worry about."""

    STAGE = "stage"
    PROGRESS = "progress"
    DETAIL = "detail"
    """Shown with ``-v`` only."""
    INFO = "info"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing to tell: ``done`` of ``total`` (bytes, or steps) where that is known."""

    text: str
    level: Level = Level.PROGRESS
    done: int | None = None
    total: int | None = None


Report = Callable[[Event], None]
"""Takes events as they happen. Called from the thread that works; must return quickly and not raise."""


def silent(event: Event) -> None:
    """Report nothing: the default of every library function."""


def stage(report: Report, text: str, *, number: int, of: int) -> None:
    """Tell that stage ``number`` of ``of`` begins."""
    report(Event(text=text, level=Level.STAGE, done=number, total=of))


def say(report: Report, text: str, *, done: int | None = None, total: int | None = None) -> None:
    """Tell progress of the present step."""
    report(Event(text=text, done=done, total=total))


def detail(report: Report, text: str) -> None:
    """Tell what only ``-v`` shows."""
    report(Event(text=text, level=Level.DETAIL))


def info(report: Report, text: str) -> None:
    """Tell something worth reading whatever the progress display."""
    report(Event(text=text, level=Level.INFO))


def warn(report: Report, text: str) -> None:
    """Tell something to worry about that is not a failure."""
    report(Event(text=text, level=Level.WARNING))


def in_turn(report: Report) -> Report:
    """Return a report for threads that work side by side: it passes on one event at a time."""
    lock = threading.Lock()

    def told(event: Event) -> None:
        with lock:
            report(event)

    return told


class Progress:
    """How far a step is on which several threads work."""

    def __init__(self, report: Report, text: str, *, total: int) -> None:
        self._report, self._text, self._total = report, text, total
        self._done, self._lock = 0, threading.Lock()

    def add(self, count: int) -> None:
        """Tell that so much more is done; not more than all, whatever surrounds what was counted before."""
        with self._lock:
            self._done = min(self._done + count, self._total)
            say(self._report, self._text, done=self._done, total=self._total)


class Stopwatch:
    """A report that passes events on, and measures how long each step was the present one."""

    def __init__(self, report: Report, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._report, self._clock = report, clock
        self._times: dict[str, float] = {}
        self._step, self._began = "", clock()

    def __call__(self, event: Event) -> None:
        """Pass ``event`` on; one of another step ends the present one."""
        if event.level is Level.PROGRESS and event.text != self._step:
            self.stop()
            self._step = event.text
        self._report(event)

    def stop(self) -> dict[str, float]:
        """End the present step, and return the seconds of each, in order; one that came back is added up."""
        now = self._clock()
        if self._step:
            self._times[self._step] = self._times.get(self._step, 0.0) + now - self._began
        self._step, self._began = "", now
        return self._times
