"""``packager client``: a program that asks a model, to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from packager.cli import options
from packager.cli.screen import screen, write_file


def client(
    target: options.Target,
    language: Annotated[
        str, typer.Option("--language", "-l", metavar="LANGUAGE", help="python or curl.", show_default=False)
    ],
    signature: Annotated[
        str | None,
        typer.Option("--signature", metavar="NAME", help="Which one to ask.", show_default="the first"),
    ] = None,
    model: options.TargetModel = None,
    version: options.TargetVersion = None,
    server: options.Server = "http://localhost:8501",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it into this file.")
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Write a program that asks TARGET.

    It sends the request that was recorded when the model was converted, and needs nothing but Python or
    curl. What the source model answered is in a comment.

    Example: packager client digits:1 --language python --output client.py
    """
    from packager import interface

    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        text = interface.client(
            target,
            language=language,
            signature=signature,
            model=model,
            version=version,
            server=server,
            report=shown.report,
        )
        if output is not None:
            write_file(output, text.encode(), hint="write it elsewhere: --output FILE")
        else:
            document = {"language": language, "text": text}
            shown.show(document, lambda _: typer.echo(text, nl=False))
