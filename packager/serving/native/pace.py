"""Knows which models answer so quickly that handing their runs to other threads costs more than the runs.

A run of half_plus_two takes 15 µs in the thread that asks for it, and 55 to 80 µs by way of TensorFlow's
thread pool with a time limit. TensorFlow ends no operation for such a limit, only what has more of them to
come; in the asking thread it looks at none until all are over, so no graph is run there that could go on for
ever, and one that took long once is not run there again until many runs elsewhere were quick.
"""

from __future__ import annotations

QUICK_SECONDS = 0.0003
"""What a run may take on average and count as quick."""

_AT_FIRST = 0.01
"""The average before the first run: only some thirty quick ones make a model quick."""
_WEIGHT = 1 / 8
"""How much the last run counts."""
_AT_MOST = 4 * QUICK_SECONDS
"""What a single run counts at most: another process may have had the processor for a moment."""
_LONG = 0.03
"""What no such moment takes: the model has to begin again."""

_MAY_GO_ON = (
    *(b"While", b"NextIteration", b"PyFunc", b"Queue", b"Barrier", b"Unstage", b"_Recv", b"Iterator"),
    *(b"Dataset", b"MapDefun", b"Reader", b"XlaCall", b"RemoteCall"),
)
"""Parts of the names of operations that repeat others, or wait for something."""


class Pace:
    """How quick the runs of one servable have been of late."""

    def __init__(self, *, bounded: bool) -> None:
        """Begin; ``bounded`` is whether no run can go on for ever."""
        self._bounded = bounded
        self._average = _AT_FIRST

    @classmethod
    def of_graph(cls, graph: bytes) -> Pace:
        """Judge a serialised graph: one that but mentions an operation of the wrong sort is never quick."""
        return cls(bounded=not any(name in graph for name in _MAY_GO_ON))

    @property
    def quick(self) -> bool:
        """Whether the next run may be expected to be over at once."""
        return self._bounded and self._average < QUICK_SECONDS

    def note(self, seconds: float) -> None:
        """Take account of a run. Threads may call this at once: a run that gets lost does not matter."""
        if seconds > _LONG:
            self._average = _AT_FIRST
        else:
            self._average += _WEIGHT * (min(seconds, _AT_MOST) - self._average)
