"""Where the time went, from the events that tell what is being done."""

from __future__ import annotations

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
