"""Work in several threads: results in order, the first failure told, nobody waited for in vain."""

from __future__ import annotations

import signal
import threading
import time
from functools import partial

import pytest

from packager.progress import Event, Progress, in_turn
from packager.sidebyside import Stop, StoppedError, side_by_side, work_goes_on


def test_results_come_in_the_order_of_the_tasks() -> None:
    def task(number: int, _: Stop) -> int:
        time.sleep(0.002 * (5 - number))
        return number

    assert side_by_side([partial(task, n) for n in range(5)], workers=3) == list(range(5))
    assert side_by_side([]) == []


def test_tasks_run_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=10)
    side_by_side([lambda _: meeting.wait()] * 3, workers=3)


def test_the_first_failure_is_raised_and_the_rest_is_told_to_stop() -> None:
    stopped, begun = threading.Event(), []

    def fails(_: Stop) -> None:
        raise ValueError("full")

    def goes_on(stop: Stop) -> None:
        try:
            while True:
                stop.check()
                time.sleep(0.001)
        except StoppedError:
            stopped.set()
            raise

    with pytest.raises(ValueError, match="full"):
        side_by_side([goes_on, fails, *[begun.append] * 10], workers=1 + 1)
    assert stopped.wait(10)
    assert len(begun) < 10


def test_an_interruption_waits_for_nobody() -> None:
    never = threading.Event()
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        side_by_side([lambda _: never.wait(60)])
    assert work_goes_on(), "the command must not end in the ordinary way"
    never.set()
    deadline = time.monotonic() + 10
    while work_goes_on():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_patient_caller_lets_the_others_clean_up() -> None:
    cleaned = []

    def cleans_up(stop: Stop) -> None:
        try:
            while True:
                stop.check()
                time.sleep(0.001)
        finally:
            time.sleep(0.05)
            cleaned.append(True)

    def fails(_: Stop) -> None:
        raise ValueError("full")

    with pytest.raises(ValueError, match="full"):
        side_by_side([cleans_up, fails], workers=2, patient=True)
    assert cleaned == [True]


def test_progress_of_several_threads_is_added_up() -> None:
    events: list[Event] = []
    progress = Progress(in_turn(events.append), "reading", total=95)
    side_by_side([lambda _: progress.add(10)] * 10, workers=4)
    assert [event.done for event in events] == [*range(10, 100, 10), 95]
