"""``packager audit``: what stands between a model and the server that is to run it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from packager.cli import options
from packager.cli.screen import screen
from packager.errors import AuditError
from packager.values import Audit, Severity

if TYPE_CHECKING:
    from rich.console import Console

MARKS = {
    Severity.ERROR: "[red]error[/]  ",
    Severity.WARNING: "[yellow]warning[/]",
    Severity.NOTE: "[dim]note[/]   ",
}


def audit(
    target: options.Target,
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            metavar="BASE",
            help="The server's: official, embedded, or an image reference.",
            show_default="an image's own, else official",
        ),
    ] = None,
    model: options.TargetModel = None,
    version: options.TargetVersion = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Tell whether the server on a base can run TARGET.

    Looks for operations that the server has not, for those that need a GPU or Python, for tables and
    variables that nothing fills, for a server older than the exporter, and for what makes answers depend
    on more than the request. Names the layer. Nothing is run. Exits with 25 where the server cannot; every
    build is preceded by this audit.

    Example: packager audit models/digits --base tensorflow/serving:2.19.1
    """
    from packager import auditing

    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        found = auditing.audit(target, base=base, model=model, version=version, report=shown.report)
        shown.show(found, lambda console: render(found, console))
    if found.errors:
        raise typer.Exit(AuditError.exit_code)


def render(found: Audit, console: Console) -> None:
    """Show each finding with its layer."""
    from rich.markup import escape

    exporter = f"TensorFlow {found.exporter}" if found.exporter else "an unknown TensorFlow"
    console.print(
        f"[bold]{escape(found.target)}[/], exported by {escape(exporter)}, on {escape(found.server)}"
    )
    console.print(f"  {found.nodes} nodes of {len(found.operations)} operations")
    for finding in found.findings:
        where = f"layer {finding.layer}" if finding.layer else finding.path
        console.print(
            f"  {MARKS[finding.severity]} {finding.rule}  {escape(where)}: {escape(finding.message)}"
        )
    verdict = "cannot serve it" if found.errors else "can serve it"
    console.print(f"[bold]{escape(found.server)} {verdict}[/]")
