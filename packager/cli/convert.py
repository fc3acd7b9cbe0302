"""``packager convert``: a versioned SavedModel from an ``.h5`` file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from packager import pipeline
from packager.cli import options
from packager.cli.screen import screen
from packager.values import Conversion

if TYPE_CHECKING:
    from rich.console import Console


def convert(
    file: options.File,
    name: options.Name,
    version: options.Version = None,
    output: options.Output = Path("models"),
    force: options.Force = False,
    input_name: options.InputName = None,
    output_name: options.OutputName = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Convert FILE to a versioned SavedModel.

    Writes DIR/NAME/N with a serving_default signature: input names from the model's input layers, output
    names from its output layers, a free batch dimension. The SavedModel is compared with the model in
    FILE before it is put in place, in one step. Code in the file is refused, never run.

    Example: packager convert digits.h5 --name digits --input-name input_1=image
    """
    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        conversion = pipeline.convert(
            file,
            name=name,
            version=version,
            output=output,
            force=force,
            input_names=options.parse_renames(input_name, "--input-name"),
            output_names=options.parse_renames(output_name, "--output-name"),
            report=shown.report,
        )
        shown.show(conversion, lambda console: render(conversion, console))


def render(conversion: Conversion, console: Console) -> None:
    """Show where the SavedModel is and what a client sees of it."""
    from rich.markup import escape

    made_by = f"{conversion.source_keras or 'unknown version'}, rebuilt with {conversion.loader}"
    console.print(f"[bold]{escape(str(conversion.servable.path))}[/]")
    console.print(f"  source      {escape(str(conversion.source))} (Keras {made_by})")
    console.print(f"  parameters  {conversion.parameters:,} in {len(conversion.bindings)} variables")
    for signature in conversion.signatures:
        console.print(f"  signature   {escape(signature.key)}")
        for way, specs in (("in", signature.inputs), ("out", signature.outputs)):
            for spec in specs:
                console.print(f"    {way:<3} {escape(str(spec))}")
    console.print(f"  parity      largest difference from the source model {conversion.parity:.3g}")
    for warning in conversion.warnings:
        console.print(f"  [yellow]warning[/]     {escape(warning)}")
