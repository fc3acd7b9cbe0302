"""``packager serve``: the embedded server in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from packager import pipeline
from packager.cli.screen import screen


def serve(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A model folder: models/NAME.", show_default=False)
    ],
    port: Annotated[int, typer.Option("--port", metavar="PORT", help="REST port.")] = 8501,
    address: Annotated[
        str, typer.Option("--address", metavar="HOST", help="Address to listen on; 0.0.0.0 is all.")
    ] = "127.0.0.1",
    ui: Annotated[
        bool, typer.Option("--ui", help="Show a page at / that tells of the models and asks them.")
    ] = False,
    flag: Annotated[
        list[str] | None,
        typer.Option("--flag", metavar="--NAME=VALUE", help="A flag of tensorflow_model_server. Repeatable."),
    ] = None,
) -> None:
    """Serve MODEL with the embedded server until Ctrl-C.

    It answers as TensorFlow Serving does, on TensorFlow's own runtime, and loads new versions as they appear.
    No container engine is needed.

    Example: packager serve models/digits --port 8501
    """
    with screen(as_json=False, quiet=False, verbose=False):
        flags = [*(["--ui"] if ui else []), *(flag or ())]
        status = pipeline.serve(model, port=port, address=address, arguments=flags)
    raise typer.Exit(status)
