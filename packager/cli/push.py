"""``packager push``: an image into registries, by the digest that they report."""

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
        list[str],
        typer.Argument(
            metavar="REF",
            help="[registry/]name[:tag] of the image, and its further names.",
            show_default=False,
        ),
    ],
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Push the image of this OCI layout; needs no engine."),
    ] = None,
    attest: options.Attest = True,
    sign: options.Sign = None,
    image_refs: options.ImageRefs = None,
    username: options.Username = None,
    password_stdin: options.PasswordStdin = False,
    ca_cert: options.CaCert = None,
    plain_http: options.PlainHttp = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Push the image REF, and print it pinned by its digest.

    The digest is the registry's own. Of several names, perhaps in several registries, the first is the
    image's in the engine. Credentials are those of `docker login`, credential helpers included, unless
    given. A refusal anywhere in the transfer is an error.

    Example: packager push registry.example.com/digits:1
    """
    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        pushed = pipeline.push(
            reference,
            source=source,
            attest=attest,
            sign=sign,
            access=options.parse_access(username, password_stdin, ca_cert, plain_http),
            report=shown.report,
        )
        options.write_image_refs(image_refs, pushed)
        shown.show(pushed, lambda console: render(pushed, console))


def render(pushed: PushedImage, console: Console) -> None:
    """Show the references that can only ever mean these bytes."""
    for image in (pushed, *pushed.also):
        console.print(f"[bold]{image.pinned}[/]")
