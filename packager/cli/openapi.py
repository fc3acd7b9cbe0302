"""``packager openapi``: the OpenAPI document of a model's REST interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from packager.cli import options
from packager.cli.screen import screen, write_file


def openapi(
    target: options.Target,
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
    """Write the OpenAPI 3.1 document of TARGET.

    It describes the model's REST interface: paths, the JSON of requests and answers with names, types and
    sizes, and the requests that were recorded as examples.

    Example: packager openapi models/digits --output digits.json
    """
    from packager import interface

    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        document = interface.openapi(target, model=model, version=version, server=server, report=shown.report)
        text = json.dumps(document, indent=2) + "\n"
        if output is not None:
            write_file(output, text.encode(), hint="write it elsewhere: --output FILE")
        else:
            shown.show(document, lambda _: typer.echo(text, nl=False))
