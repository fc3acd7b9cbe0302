"""Holds what a server was seen to cost against what it may cost."""

from __future__ import annotations

from collections.abc import Iterator

from packager.errors import BudgetError
from packager.values import Budget, SmokeReport, percentile


def check_budget(report: SmokeReport, budget: Budget) -> None:
    """Raise BudgetError that names every limit of ``budget`` that ``report`` exceeds."""
    if broken := [*_broken(report, budget)]:
        raise BudgetError(
            f"the answers are right, but {'; '.join(broken)}",
            hint="raise the limit, or measure on a machine with nothing else to do",
        )


def _broken(report: SmokeReport, budget: Budget) -> Iterator[str]:
    limit = budget.cold_start_s
    if limit is not None and report.cold_start_s > limit:
        yield f"the first answer came after {report.cold_start_s:.2f} s, not within {limit:g} s"
    for percent, most in budget.latency_ms:
        latency = percentile(report.steady_ms, percent)
        if latency > most:
            yield (
                f"p{percent:g} of the latency is {latency:.1f} ms, not {most:g} ms "
                f"({len(report.steady_ms)} requests)"
            )
    if budget.memory_bytes is not None:
        if report.memory_bytes is None:
            yield "nothing tells how much memory the server uses"
        elif report.memory_bytes > budget.memory_bytes:
            used, allowed = report.memory_bytes / 1e6, budget.memory_bytes / 1e6
            yield f"the server uses {used:.0f} MB of memory, not {allowed:.0f} MB"
