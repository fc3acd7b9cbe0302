"""Smoke tests as one HTML page that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files

from packager.reports import charts, sections
from packager.reports.markup import code, escape, fact, table
from packager.values import SmokeOutcome, SmokeReport


def html_report(outcomes: Sequence[SmokeOutcome]) -> str:
    """Return the page that tells ``outcomes``."""
    style = files("packager.reports").joinpath("page.css").read_text(encoding="utf-8")
    title = f"Smoke test of {outcomes[0].target}"
    overview = _overview(outcomes) if len(outcomes) > 1 else ""
    articles = "\n".join(f"<article>{''.join(_article(outcome))}</article>" for outcome in outcomes)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
{overview}{articles}
<footer>Answers are compared with those that the source model gave when it was converted.</footer>
</main>
</body>
</html>
"""


def _overview(outcomes: Sequence[SmokeOutcome]) -> str:
    rows = [(code(outcome.base or outcome.target), _verdict(outcome)) for outcome in outcomes]
    results = table(("server", "result"), rows)
    return f"<article><h1>{len(outcomes)} servers</h1><section>{results}</section></article>"


def _article(outcome: SmokeOutcome) -> Iterator[str]:
    on = f' <span class="faint">on {escape(outcome.base)}</span>' if outcome.base else ""
    yield f"<header><h1>{escape(outcome.target)}{on}</h1>{_verdict(outcome)}</header>"
    report = outcome.report
    if report is not None:
        yield _facts(report)
    if outcome.error is not None:
        yield sections.failure(outcome.error)
    yield sections.section("Phases", charts.timeline(outcome.phases))
    if report is not None:
        if report.steady_ms:
            yield sections.section("Latency of single examples", charts.histogram(report.steady_ms))
        yield sections.section("Answers", sections.answers(report))
        yield sections.section("Signatures", sections.signatures(report))
        if report.image is not None:
            yield sections.section("Image", sections.image(report.image))


def _verdict(outcome: SmokeOutcome) -> str:
    if outcome.error is None:
        return '<p class="verdict good">answers right</p>'
    where = outcome.phases[-1].name if outcome.phases and not outcome.phases[-1].ok else "target"
    return f'<p class="verdict bad">failed: {where} (exit code {outcome.error.exit_code})</p>'


def _facts(report: SmokeReport) -> str:
    memory = "unknown" if report.memory_bytes is None else f"{report.memory_bytes / 1e6:.0f} MB"
    facts = (
        fact("model", f"{report.model_name} {report.version}"),
        fact("server", report.mode),
        fact("first answer", f"{report.cold_start_s:.1f} s"),
        fact("latency p50", f"{report.steady_p50_ms:.1f} ms"),
        fact("latency p99", f"{report.steady_p99_ms:.1f} ms"),
        fact("memory", memory),
        *(
            (
                fact("first request", f"{report.warmup.first_ms:.1f} ms"),
                fact("without warm-up", f"{report.warmup.first_ms_without:.1f} ms"),
            )
            if report.warmup
            else ()
        ),
    )
    return f'<dl class="facts">{"".join(facts)}</dl>'
