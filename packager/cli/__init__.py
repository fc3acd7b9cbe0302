"""The ``packager`` command: one file a verb, each of which parses, calls the library and shows the result."""

from __future__ import annotations

import gc
import os
import sys
from typing import Annotated

import typer

from packager.cli.audit import audit
from packager.cli.base import base
from packager.cli.bench import bench
from packager.cli.build import build
from packager.cli.client import client
from packager.cli.convert import convert
from packager.cli.diff import diff
from packager.cli.doctor import doctor
from packager.cli.inspect import inspect
from packager.cli.map import map_weights
from packager.cli.openapi import openapi
from packager.cli.package import package
from packager.cli.push import push
from packager.cli.screen import INTERRUPTED
from packager.cli.serve import serve
from packager.cli.smoke import smoke
from packager.cli.verify import verify
from packager.sidebyside import work_goes_on

app = typer.Typer(
    name="packager",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help is ready twice as fast
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for verb in (
    inspect,
    convert,
    build,
    smoke,
    bench,
    push,
    verify,
    package,
    diff,
    openapi,
    client,
    audit,
    serve,
    base,
    doctor,
):
    app.command()(verb)
app.command("map")(map_weights)


def _print_version(wanted: bool) -> None:
    if wanted:
        from packager.pipeline import packager_version

        typer.echo(packager_version())
        raise typer.Exit


@app.callback()
def describe(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """From a Keras .h5 file to a TensorFlow Serving image that is proven to answer right.

    Example: packager package model.h5 --name digits --tag digits:1

    Exit codes: 0 ok, 1 a bug, 2 usage, 10-19 the model file and export, 20-29 engine, base and build,
    30-39 smoke test, 40-49 registry, 130 and 143 interrupted.
    """


def main() -> None:
    """Run the command."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy's threads would spin for a while at first
    try:
        app(prog_name="packager")
    except SystemExit as leaving:
        # Where exec() was interrupted, as of a dataclass, `python -m` would end by the signal all the same.
        if work_goes_on() or leaving.code == INTERRUPTED:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(leaving.code if isinstance(leaving.code, int) else 1)
        raise
    finally:
        gc.freeze()  # else the end looks through all modules for garbage, which takes 0.1 s
