"""``packager doctor``: what works here, and what to type to fix what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from packager import pipeline
from packager.cli import options
from packager.cli.screen import screen
from packager.values import Check

if TYPE_CHECKING:
    from rich.console import Console


def doctor(
    base: options.Base = "official",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Check what works here, and how to fix the rest.

    Looks at TensorFlow, the container engine, the base image, ports and disk space. Exits with 1 where
    something that every run needs is missing. A missing engine or base is told, with what works without
    it.

    Example: packager doctor --base embedded
    """
    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        checks = pipeline.doctor(base=base)
        shown.show(checks, lambda console: render(checks, console))
    if not all(check.ok for check in checks if check.required):
        raise typer.Exit(1)


def render(checks: tuple[Check, ...], console: Console) -> None:
    """Show each check with what was found, and the remedy."""
    from rich.markup import escape

    for check in checks:
        mark = (
            "[green]ok[/]     " if check.ok else "[red]missing[/]" if check.required else "[yellow]without[/]"
        )
        console.print(f"{mark} [bold]{escape(check.name):<12}[/] {escape(check.found)}")
        if not check.ok and check.fix:
            console.print(f"        {'':<12} [dim]→[/] {escape(check.fix)}")
