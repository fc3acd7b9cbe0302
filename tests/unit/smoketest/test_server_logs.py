from __future__ import annotations

from packager.smoketest.logs import excerpt, last_line

NOISE = [f"2026-10-01 12:00:{i:02}.000000: I tensorflow/x.cc:1] step {i}" for i in range(60)]
ERROR = (
    "2026-10-01 12:00:07.500000: E tensorflow_serving/util/retrier.cc:46] Loading servable failed: NOT_FOUND"
)


def test_an_empty_log_has_no_excerpt():
    assert excerpt("\n \n") is None


def test_errors_come_first_and_then_the_end():
    lines = excerpt("\n".join([*NOISE[:10], ERROR, *NOISE[10:]])).splitlines()
    assert lines[:3] == ["the server's log, errors:", f"  {ERROR}", "the server's log, its end:"]
    assert lines[-1] == f"  {NOISE[-1]}"
    assert f"  {NOISE[0]}" not in lines
    assert len(lines) <= 60


def test_an_excerpt_is_bounded_in_lines_and_line_length():
    lines = excerpt("\n".join(f"error {i} " + "x" * 1000 for i in range(1000))).splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) < 500


def test_an_error_that_repeats_each_second_is_shown_once():
    repeated = [f"2026-10-01 12:00:{i:02}.1: W x.cc:268] No versions of servable m found" for i in range(50)]
    errors, _, _ = excerpt("\n".join(repeated)).partition("its end:")
    assert errors.count("No versions of servable") == 1


def test_informational_lines_are_no_errors_whatever_their_words():
    harmless = "2026-10-01 12:00:00.1: I x.cc:1] Could not find cuda drivers on your machine"
    assert excerpt("\n".join([harmless, *NOISE])).startswith("the server's log:")


def test_a_short_log_is_shown_once():
    assert excerpt(f"starting\n{ERROR}\n") == f"the server's log:\n  starting\n  {ERROR}"


def test_terminal_control_does_not_reach_the_terminal():
    shown = excerpt("\x1b[31mred\x1b[0m\x07 \x1b]0;title\x07\r\n")
    assert "red" in shown
    assert all(c.isprintable() or c == "\n" for c in shown)


def test_the_last_line_is_told_without_its_time():
    assert last_line(f"one\n{NOISE[3]}\n\n") == "I tensorflow/x.cc:1] step 3"
    assert last_line("") == ""
