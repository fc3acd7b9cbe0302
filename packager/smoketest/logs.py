"""Reads a server's log for people: the lines that matter first, bounded, free of terminal control."""

from __future__ import annotations

import re
from collections.abc import Iterable

ERROR_LINES = 15
TAIL_LINES = 40
LINE_LENGTH = 400

_LAST_PART = 10_000

_TIMESTAMP = re.compile(r"^\[?\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?\]?:?\s*")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
# TensorFlow's log lines carry their severity as a letter: "<time>: E file.cc:12] text". Informational ones
# are never what is wrong, whatever words they use ("Could not find cuda drivers").
_INTERESTING = re.compile(
    r"^[EF] |^(?!I ).*\b(?:error|fatal|fail(?:ed|ure)?|exception|traceback|abort(?:ed)?|killed|denied|cannot|"
    r"could not|not found|no such|no versions|illegal|invalid|in use)\b",
    re.IGNORECASE,
)


def excerpt(log: str) -> str | None:
    """Return what of ``log`` a person wants below an error: its error lines, then its end.

    At most about 60 lines; ``None`` where the log is empty.
    """
    lines = _clean(log)
    if not lines:
        return None
    tail = lines[-TAIL_LINES:]
    errors = _distinct(line for line in lines if _INTERESTING.search(_untimed(line)))[:ERROR_LINES]
    if not errors or len(lines) <= 5:
        return "\n".join(["the server's log:", *_indented(tail)])
    return "\n".join(
        ["the server's log, errors:", *_indented(errors), "the server's log, its end:", *_indented(tail)]
    )


def last_line(log: str) -> str:
    """Return the last thing the server said, without its time stamp; empty where it said nothing."""
    lines = _clean(log[-_LAST_PART:])
    return _untimed(lines[-1]) if lines else ""


def _clean(log: str) -> list[str]:
    plain = (_printable(_ESCAPE.sub("", line[:LINE_LENGTH])).rstrip() for line in log.splitlines())
    return [line for line in plain if line]


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else " " for c in line)


def _untimed(line: str) -> str:
    return _TIMESTAMP.sub("", line)


def _distinct(lines: Iterable[str]) -> list[str]:
    """Keep the first of lines that differ in their time stamp only."""
    first: dict[str, str] = {}
    for line in lines:
        first.setdefault(_untimed(line), line)
    return list(first.values())


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]
