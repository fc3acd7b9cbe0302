"""The two charts of the page, drawn without a script."""

from __future__ import annotations

import math
from collections.abc import Sequence

from packager.reports.markup import escape
from packager.values import Phase, percentile

BINS = 30
_WIDTH, _HEIGHT = 720, 120


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
    median, slow = (percentile(latencies, percent) for percent in (50, 99))
    share = (median - low) / (high - low)
    middle = f'<span class="p50" style="left:{100 * share:.1f}%">p50 {median:.1f} ms</span>'
    return (
        f'<div class="chart{" left" if share > 0.5 else ""}">{middle}'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{len(latencies)} requests from {low:.1f} to {max(latencies):.1f} ms">{bars}'
        f'<line class="mark" x1="{share * _WIDTH:.1f}" x2="{share * _WIDTH:.1f}" y1="0" y2="{_HEIGHT}"/>'
        "</svg>"
        f'<p class="scale"><span>{low:.1f} ms</span><span>p99 {slow:.1f} ms</span></p></div>'
        f'<p class="faint">{len(latencies)} requests, one after the other; the slowest took '
        f"{max(latencies):.1f} ms.</p>"
    )


def _bar(place: int, count: int, most: int) -> str:
    width = _WIDTH / BINS
    height = max(2.0, count / most * _HEIGHT)
    top = _HEIGHT - height
    return (
        f'<rect x="{place * width + 1:.1f}" y="{top:.1f}" width="{width - 2:.1f}" height="{height:.1f}" '
        f'rx="2"><title>{count} requests</title></rect>'
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"
