"""``packager smoke``: ask a running server and compare its answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from packager.cli import options
from packager.cli.screen import Screen, screen, size_text, write_file
from packager.progress import info
from packager.values import Budget, SmokeOutcome, SmokeReport, SmokeSettings

if TYPE_CHECKING:
    from rich.console import Console


def smoke(
    target: Annotated[
        str,
        typer.Argument(metavar="TARGET", help="An image reference, or a model folder.", show_default=False),
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="Model to ask, of an image with several."),
    ] = None,
    version: Annotated[
        int | None, typer.Option("--version", metavar="N", help="Version to ask.", show_default="the highest")
    ] = None,
    timeout: options.Timeout = 120,
    tolerance: options.Tolerance = 1e-5,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="PORT", help="REST port on 127.0.0.1.", show_default="a free one"),
    ] = None,
    grpc: Annotated[bool, typer.Option("--grpc/--no-grpc", help="Ask over gRPC beside REST.")] = True,
    compare_warmup: Annotated[
        bool,
        typer.Option(
            "--compare-warmup",
            help="Start the server once more without its warm-up, and compare the first request.",
        ),
    ] = False,
    base: Annotated[
        list[str] | None,
        typer.Option(
            "--base",
            metavar="BASE",
            help="Put the model folder TARGET on this base for the test; `process` is the embedded server "
            "as a local process. Repeatable.",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option("--memory", metavar="SIZE", help="Memory that the container may use: 2GB."),
    ] = None,
    gpus: Annotated[
        str | None,
        typer.Option("--gpus", metavar="N", help="GPUs that the container gets: all, or how many."),
    ] = None,
    max_cold_start: Annotated[
        float | None,
        typer.Option("--max-cold-start", metavar="S", help="Fail if the first answer takes longer."),
    ] = None,
    max_latency: Annotated[
        list[str] | None,
        typer.Option(
            "--max-latency",
            metavar="pN=LIMIT",
            help="Fail if single examples take longer: p99=50ms. Repeatable.",
        ),
    ] = None,
    max_memory: Annotated[
        str | None, typer.Option("--max-memory", metavar="SIZE", help="Fail if the server uses more: 512MB.")
    ] = None,
    junit: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE", help="Write a report for CI systems: JUnit's XML."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a report for people: one page.")
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Run TARGET and judge its predictions.

    The answers are compared with the source model's. An image runs in a container that is read-only,
    without capabilities, alone in a network of its own, and published on 127.0.0.1 only; a model folder is
    served by the embedded server as a local process. The requests and the expected answers were recorded
    when the model was converted, and lie inside the image. Nothing keeps running.

    Example: packager smoke registry.example.com/digits:1 --max-latency p99=50ms --html report.html
    """
    from packager.outcomes import smoke_outcomes
    from packager.reports import html_report, junit_report

    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        settings = SmokeSettings(
            model=model,
            version=version,
            timeout=timeout,
            tolerance=tolerance,
            port=port,
            memory=options.parse_size(memory, "--memory"),
            gpus=options.parse_gpus(gpus),
            grpc=grpc,
            compare_warmup=compare_warmup,
            budget=Budget(
                cold_start_s=max_cold_start,
                latency_ms=options.parse_latencies(max_latency, "--max-latency"),
                memory_bytes=options.parse_size(max_memory, "--max-memory"),
            ),
        )
        outcomes = smoke_outcomes(target, settings, bases=base or (), report=shown.report)
        if junit:
            write_file(junit, junit_report(outcomes))
        if html:
            write_file(html, html_report(outcomes).encode())
        if len(outcomes) == 1:
            _show_one(outcomes[0], shown)
        else:
            _show_several(outcomes, shown)


def _show_one(outcome: SmokeOutcome, shown: Screen) -> None:
    report = outcome.report
    if report is not None:
        shown.show(report, lambda console: render(report, console))
    elif outcome.error is not None:
        if outcome.phases:
            phase = outcome.phases[-1]
            info(shown.report, f"failed in phase {phase.name!r}, after {phase.seconds:.1f} s of it")
        raise outcome.error


def _show_several(outcomes: Sequence[SmokeOutcome], shown: Screen) -> None:
    shown.show(outcomes, lambda console: render_outcomes(outcomes, console))
    for outcome in outcomes:
        if outcome.error is not None:
            raise typer.Exit(outcome.error.exit_code)


def render_outcomes(outcomes: Sequence[SmokeOutcome], console: Console) -> None:
    """Show one line for each server, and why those failed that did."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2))
    table.add_column("  server")
    table.add_column("result")
    for column in ("first answer", "p50", "p99", "memory", "largest difference"):
        table.add_column(column, justify="right")
    for outcome in outcomes:
        server = f"  {escape(outcome.base or outcome.target)}"
        if report := outcome.report:
            table.add_row(server, "[green]right[/]", f"{report.cold_start_s:.1f} s", *_figures(report))
        elif error := outcome.error:
            table.add_row(server, f"[red]failed ({error.exit_code})[/]")
    console.print(table)
    for outcome in outcomes:
        if error := outcome.error:
            console.print(f"[bold red]{escape(outcome.base or outcome.target)}:[/] {escape(error.message)}")
            if error.hint:
                console.print(f"[bold]hint:[/] {escape(error.hint)}")


def _figures(report: SmokeReport) -> tuple[str, ...]:
    return (
        f"{report.steady_p50_ms:.1f} ms",
        f"{report.steady_p99_ms:.1f} ms",
        "" if report.memory_bytes is None else size_text(report.memory_bytes),
        f"{report.max_difference:.3g}",
    )


def render(report: SmokeReport, console: Console) -> None:
    """Show what was asked, and how near the answers came."""
    from rich.markup import escape
    from rich.table import Table

    console.print(f"[bold green]answers right[/] [bold]{escape(report.target)}[/] ({report.mode})")
    console.print(f"  {report.model_name} version {report.version} AVAILABLE after {report.ready_s:.1f} s")
    p50, p99, memory, _ = _figures(report)
    console.print(
        f"  first answer after {report.cold_start_s:.1f} s; single examples p50 {p50}, p99 {p99}"
        + (f"; memory {memory}" if memory else "")
    )
    if effect := report.warmup:
        console.print(
            f"  first request {effect.first_ms:.1f} ms; without warm-up {effect.first_ms_without:.1f} ms, "
            f"and AVAILABLE after {effect.ready_s_without:.1f} s"
        )
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for column in ("  signature", "form", "batch", "latency", "largest difference"):
        table.add_column(column, justify="left" if column in ("  signature", "form") else "right")
    for probe in report.probes:
        table.add_row(
            f"  {escape(probe.signature)}",
            probe.form,
            str(probe.batch),
            f"{probe.latency_ms:.1f} ms",
            f"{probe.max_difference:.3g}",
        )
    console.print(table)
