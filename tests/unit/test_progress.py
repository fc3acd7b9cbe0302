"""Where the time went, from the events that tell what is being done."""

from __future__ import annotations

from packager.cli.screen import amount_text
from packager.progress import Event, Stopwatch, info, say


def test_a_step_lasts_until_another_begins() -> None:
    times = iter([0.0, 1.0, 4.0, 4.5, 10.0])
    seen: list[Event] = []
    watch = Stopwatch(seen.append, clock=lambda: next(times))
    say(watch, "reading")
    say(watch, "reading", done=1, total=2)
    info(watch, "by the way")
    say(watch, "writing")
    say(watch, "reading")
    assert watch.stop() == {"reading": 3.0 + 5.5, "writing": 0.5}
    assert [event.text for event in seen] == ["reading", "reading", "by the way", "writing", "reading"]


def test_bytes_are_told_with_their_rate_and_what_is_left() -> None:
    half = Event(text="writing the weights", done=500_000_000, total=1_000_000_000)
    assert amount_text(half, 2.0) == " 50% of 1.0 GB, 250 MB/s, 2 s left"
    assert amount_text(half, 0.1) == " 50% of 1.0 GB"
    assert amount_text(Event(text="step", done=1, total=4), 2.0) == " 25%"
    assert amount_text(Event(text="step"), 2.0) == ""
