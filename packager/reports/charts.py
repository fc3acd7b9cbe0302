"""The two charts of the page, drawn without a script."""

from __future__ import annotations

import math
from collections.abc import Sequence

from packager.reports.markup import escape
from packager.values import Phase, percentile

BINS = 30
_WIDTH, _HEIGHT, _FOOT = 720, 170, 28


def timeline(phases: Sequence[Phase]) -> str:
    """Return a bar for each phase, from when it began to when it ended."""
    total = sum(phase.seconds for phase in phases) or 1.0
    rows, began = [], 0.0
    for phase in phases:
        left, width = 100 * began / total, 100 * phase.seconds / total
        name = escape(phase.name) if phase.ok else f'<span class="bad">{escape(phase.name)} ✗</span>'
        rows.append(
            f'<span>{name}</span><span class="track"><span class="bar{"" if phase.ok else " failed"}" '
            f'style="left:{min(left, 99.5):.2f}%;width:{width:.2f}%"></span></span>'
            f'<span class="number">{_duration(phase.seconds)}</span>'
        )
        began += phase.seconds
    return f'<div class="phases">{"".join(rows)}</div>'


def histogram(latencies: Sequence[float]) -> str:
    """Return how many requests took how many milliseconds, with the median and the 99th percentile marked.

    The slowest hundredth, which would press all others together, is counted in the last bar.
    """
    low, high = min(latencies), max(percentile(latencies, 99), min(latencies) + 1e-3)
    counts = [0] * BINS
    for latency in latencies:
        counts[min(BINS - 1, math.floor((latency - low) / (high - low) * BINS))] += 1
    bars = "".join(_bar(place, count, max(counts)) for place, count in enumerate(counts) if count)
    marks = "".join(
        _mark(f"p{percent} {value:.1f} ms", (value - low) / (high - low))
        for percent, value in ((50, percentile(latencies, 50)), (99, percentile(latencies, 99)))
    )
    floor = _HEIGHT - _FOOT
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{len(latencies)} requests from {low:.1f} to {max(latencies):.1f} ms">'
        f'{bars}<line x1="0" x2="{_WIDTH}" y1="{floor}" y2="{floor}"/>{marks}'
        f'<text x="0" y="{_HEIGHT - 6}">{low:.1f} ms</text></svg>'
        f'<p class="faint">{len(latencies)} requests, one after the other; the slowest took '
        f"{max(latencies):.1f} ms.</p>"
    )


def _bar(place: int, count: int, most: int) -> str:
    width = _WIDTH / BINS
    height = max(2.0, count / most * (_HEIGHT - _FOOT - 24))
    top = _HEIGHT - _FOOT - height
    return (
        f'<rect x="{place * width + 1:.1f}" y="{top:.1f}" width="{width - 2:.1f}" height="{height:.1f}" '
        f'rx="2"><title>{count} requests</title></rect>'
    )


def _mark(text: str, share: float) -> str:
    x = min(max(share, 0.0), 1.0) * _WIDTH
    anchor, shift = ("end", -5) if share > 0.5 else ("start", 5)
    return (
        f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{_HEIGHT - _FOOT}"/>'
        f'<text x="{x + shift:.1f}" y="18" text-anchor="{anchor}">{text}</text>'
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"
