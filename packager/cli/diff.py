"""``packager diff``: what changed for clients from one model to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from packager.cli import options
from packager.cli.screen import screen
from packager.errors import BreakingChangeError
from packager.values import ContractDiff

if TYPE_CHECKING:
    from rich.console import Console

_HELP = "A model or version folder, an OCI layout, an image, or a contract.json."


def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help=_HELP, show_default=False)],
    new: Annotated[
        str, typer.Argument(metavar="NEW", help="What is to take its place; likewise.", show_default=False)
    ],
    model: options.TargetModel = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Tell what changes for clients from OLD to NEW.

    Compares the signatures that two models promise: what was added, removed, renamed or retyped, and
    whether a client that was written for OLD would break, and why. Exits with 19 where one would.

    Example: packager diff registry.example.com/digits:1 models/digits
    """
    from packager import interface

    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        found = interface.diff(old, new, model=model, report=shown.report)
        shown.show(found, lambda console: render(found, console))
    if found.breaking:
        raise typer.Exit(BreakingChangeError.exit_code)


def render(found: ContractDiff, console: Console) -> None:
    """Show each change, and why it breaks clients where it does."""
    from rich.markup import escape

    for change in found.changes:
        mark = "[red]breaking[/]" if change.breaking else "[green]ok[/]      "
        console.print(f"{mark} {escape(str(change))}")
        if change.why:
            console.print(f"         [dim]{escape(change.why)}[/]")
    verdict = "clients would break" if found.breaking else "compatible" if found.changes else "the same"
    console.print(f"[bold]{escape(found.old)} → {escape(found.new)}: {verdict}[/]")
