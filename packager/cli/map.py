"""``packager map``: a mapping file to start from, for weights and the architecture they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from packager import pipeline
from packager.cli import conversion_options, options
from packager.cli.screen import screen
from packager.errors import UsageError
from packager.values import Supplied


def map_weights(
    file: options.File,
    architecture: conversion_options.Architecture = None,
    architecture_arg: conversion_options.ArchitectureArg = None,
    mapping: conversion_options.Mapping = None,
    custom_objects: conversion_options.CustomObjects = None,
    lambdas: conversion_options.Lambdas = None,
    vocabulary: conversion_options.Vocabulary = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it into this file.")
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Map the weights in FILE to an architecture, or suggest one.

    Lists every variable of the architecture with the dataset, or the part of one, that is its best match:
    by name, then by order of creation, then by shape. What is only a guess is marked so. Check it, and
    give it to convert as --mapping. Without an architecture the stack of layers is suggested that the
    shapes in FILE chain to; it asks for what they do not tell, such as activations.

    Example: packager map raw.h5 -o layers.toml, then
    packager map raw.h5 --architecture layers.toml -o mapping.toml
    """
    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        supplied = conversion_options.parse_supplied(
            architecture=architecture,
            architecture_arg=architecture_arg,
            mapping=mapping,
            custom_objects=custom_objects,
            lambdas=lambdas,
            vocabulary=vocabulary,
        )
        if architecture is None:
            _require_nothing_else(supplied)
            key, text = "architecture", pipeline.suggest_architecture(file, output=output)
        else:
            key = "mapping"
            text = pipeline.propose_mapping(file, supplied=supplied, output=output, report=shown.report)
        shown.show({key: text}, lambda _: typer.echo(text, nl=False) if output is None else None)


def _require_nothing_else(supplied: Supplied) -> None:
    """Raise UsageError for what says something of an architecture, where none is named."""
    about = {
        "--architecture-arg": supplied.arguments,
        "--mapping": supplied.mapping,
        "--custom-objects": supplied.custom_objects,
        "--lambda": supplied.lambdas,
        "--vocabulary": supplied.vocabularies,
    }
    for option, value in about.items():
        if value:
            raise UsageError(
                f"{option} says something of an architecture, and none is named: layers are suggested from "
                "shapes alone",
                hint="packager map FILE -o layers.toml, then add --architecture layers.toml",
            )
