"""Which models count as quick: those that have been so for a while, and cannot go on for ever."""

from __future__ import annotations

import pytest

from packager.serving.native.pace import QUICK_SECONDS, Pace

A_WHILE = 40


def after(pace: Pace, seconds: float, times: int = A_WHILE) -> bool:
    for _ in range(times):
        pace.note(seconds)
    return pace.quick


def test_a_model_has_to_be_quick_for_a_while():
    pace = Pace.of_graph(b"MatMul")
    assert not pace.quick
    assert not after(pace, QUICK_SECONDS / 2, times=5)
    assert after(pace, QUICK_SECONDS / 2)


def test_a_slow_run_ends_it_until_enough_were_quick_again():
    pace = Pace.of_graph(b"MatMul")
    assert after(pace, QUICK_SECONDS / 2)
    assert not after(pace, 0.1, times=1)
    assert after(pace, QUICK_SECONDS / 2, times=2 * A_WHILE)


def test_a_moment_without_the_processor_does_not():
    pace = Pace.of_graph(b"MatMul")
    assert after(pace, QUICK_SECONDS / 10)
    assert after(pace, 0.01, times=1)
    assert not after(pace, 0.01, times=3)


@pytest.mark.parametrize("operation", [b"While", b"StatelessWhile", b"NextIteration", b"QueueDequeueV2"])
def test_what_may_go_on_for_ever_is_never_quick(operation):
    assert not after(Pace.of_graph(b"\x0aMatMul\x12" + operation), 0.0, times=1000)
