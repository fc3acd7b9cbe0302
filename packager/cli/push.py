"""``packager push``: an image into a registry, by the digest that the registry reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from packager import pipeline
from packager.cli import options
from packager.cli.screen import screen
from packager.values import PushedImage

if TYPE_CHECKING:
    from rich.console import Console


def push(
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="[registry/]name[:tag] of the image.", show_default=False)
    ],
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Push the image of this OCI layout; needs no engine."),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Push the image REF and print its digest.

    The digest is the registry's own. Credentials are those of `docker login`, credential helpers included.
    A refusal anywhere in the transfer is an error.

    Example: packager push registry.example.com/digits:1
    """
    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        pushed = pipeline.push(reference, source=source, report=shown.report)
        shown.show(pushed, lambda console: render(pushed, console))


def render(pushed: PushedImage, console: Console) -> None:
    """Show the reference that can only ever mean these bytes."""
    console.print(f"[bold]{pushed.pinned}[/]")
