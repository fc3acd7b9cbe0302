"""``packager base``: the embedded base, made ahead, and what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from packager import pipeline
from packager.cli import options
from packager.cli.screen import screen, size_text
from packager.values import EmbeddedBase

if TYPE_CHECKING:
    from rich.console import Console


def base(
    origin: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="ORIGIN",
            help="Where system and Python come from: host (this machine), or debian.",
        ),
    ] = "host",
    engine: Annotated[
        str, typer.Option("--engine", metavar="ENGINE", help="Load it into docker (or auto), or none.")
    ] = "none",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Make the embedded base, and tell what its bytes are spent on.

    A build on it makes it too, once. It is packager's own server on TensorFlow's C runtime, and runs on the
    architecture that it is made on. With --from debian, apt downloads the packages; they are unpacked, not
    installed.

    Example: packager base --from debian
    """
    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        made = pipeline.base(origin=origin, engine=engine, report=shown.report)
        shown.show(made, lambda console: render(made, console))


def render(made: EmbeddedBase, console: Console) -> None:
    """Show the parts, the biggest of which is TensorFlow."""
    console.print(f"[bold]{made.reference}[/]{' in the engine' if made.in_engine else ''}")
    console.print(f"  image id      {made.image_id}")
    console.print(f"  runs on       {made.platform}, TensorFlow {made.tensorflow}")
    for part in made.parts:
        console.print(f"  {part.name:<13} {size_text(part.size):>7}  {100 * part.size // made.size:>3}%")
    console.print(f"  {'in all':<13} {size_text(made.size):>7}")
    console.print(f"  packages      {len(made.packages)}: {', '.join(made.packages)}", soft_wrap=True)
