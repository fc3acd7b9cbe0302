"""``packager verify``: where an image comes from, by what its registry has of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from packager import pipeline
from packager.cli import options
from packager.cli.screen import screen
from packager.values import Origin

if TYPE_CHECKING:
    from rich.console import Console


def verify(
    reference: Annotated[
        str,
        typer.Argument(metavar="REF", help="The image: registry/name[:tag][@digest].", show_default=False),
    ],
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="Check its signature too, with this key, by cosign."),
    ] = None,
    username: options.Username = None,
    password_stdin: options.PasswordStdin = False,
    ca_cert: options.CaCert = None,
    plain_http: options.PlainHttp = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Check the origin of the image REF, from its registry alone.

    All layers are there; manifest, labels and the contracts inside agree; the lowest layers are those of the
    base that is named; the SBOM and the provenance statement tell of this very image. No engine is needed,
    and no layer of weights is fetched.

    Example: packager verify registry.example.com/digits:1
    """
    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        origin = pipeline.verify(
            reference,
            key=key,
            access=options.parse_access(username, password_stdin, ca_cert, plain_http),
            report=shown.report,
        )
        shown.show(origin, lambda console: render(origin, console))


def render(origin: Origin, console: Console) -> None:
    """Show what was checked."""
    from rich.markup import escape

    console.print(f"[bold]{origin.reference.with_digest(origin.digest)}[/]")
    for check in origin.checks:
        mark = "[green]✓[/]" if check.required else "-"
        console.print(f"  {mark} {check.name:<12} {escape(check.found)}")
