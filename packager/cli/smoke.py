"""``packager smoke``: ask a running server and compare its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from packager import pipeline
from packager.cli import options
from packager.cli.screen import screen
from packager.values import SmokeReport

if TYPE_CHECKING:
    from rich.console import Console


def smoke(
    target: Annotated[
        str,
        typer.Argument(metavar="TARGET", help="An image reference, or a model folder.", show_default=False),
    ],
    version: Annotated[
        int | None, typer.Option("--version", metavar="N", help="Version to ask.", show_default="the highest")
    ] = None,
    timeout: options.Timeout = 120,
    tolerance: options.Tolerance = 1e-5,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="PORT", help="REST port on 127.0.0.1.", show_default="a free one"),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Run TARGET and judge its predictions.

    The answers are compared with the source model's. An image runs in a container that is read-only,
    without capabilities, and published on 127.0.0.1 only; a model folder is served by the embedded server
    as a local process. The requests and the expected answers were recorded when the model was converted,
    and lie inside the image. Nothing keeps running.

    Example: packager smoke registry.example.com/digits:1
    """
    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        report = pipeline.smoke(
            target, version=version, timeout=timeout, tolerance=tolerance, port=port, report=shown.report
        )
        shown.show(report, lambda console: render(report, console))


def render(report: SmokeReport, console: Console) -> None:
    """Show what was asked, and how near the answers came."""
    from rich.markup import escape
    from rich.table import Table

    console.print(f"[bold green]answers right[/] [bold]{escape(report.target)}[/] ({report.mode})")
    console.print(f"  {report.model_name} version {report.version} AVAILABLE after {report.ready_s:.1f} s")
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
