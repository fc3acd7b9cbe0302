"""``packager map``: a mapping file to start from, for weights and the architecture they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from packager import pipeline
from packager.cli import options
from packager.cli.screen import screen


def map_weights(
    file: options.File,
    architecture: options.Architecture = None,
    architecture_arg: options.ArchitectureArg = None,
    mapping: options.Mapping = None,
    custom_objects: options.CustomObjects = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it into this file.")
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Write a mapping of the weights in FILE to an architecture.

    Lists every variable of the architecture with the dataset that is its best match: by name, then by
    order of creation, then by shape. What is only a guess is marked so. Check it, and give it to
    convert as --mapping.

    Example: packager map model.weights.h5 --architecture model.py:build -o mapping.toml
    """
    supplied = options.parse_supplied(
        architecture=architecture,
        architecture_arg=architecture_arg,
        mapping=mapping,
        custom_objects=custom_objects,
    )
    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        text = pipeline.propose_mapping(file, supplied=supplied, output=output, report=shown.report)
        shown.show({"mapping": text}, lambda _: typer.echo(text, nl=False) if output is None else None)
