"""``packager inspect``: what an ``.h5`` file is, without loading it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packager import pipeline
from packager.cli import options
from packager.cli.screen import screen, size_text
from packager.values import FileKind, Inspection, LayerSummary, Severity

if TYPE_CHECKING:
    from rich.console import Console

KINDS = {
    FileKind.FULL_MODEL: "full model (architecture and weights)",
    FileKind.WEIGHTS: "weights only, no architecture",
    FileKind.KERAS3_WEIGHTS: "Keras 3 weights only, no architecture",
    FileKind.RAW: "raw datasets, no Keras model",
}
COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def inspect(
    file: options.File,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Tell what FILE is, without loading it.

    Shows its kind, who wrote it, layers, inputs and outputs, and what is unsafe in it. Nothing in the
    file is executed.

    Example: packager inspect model.h5 --json
    """
    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        inspection = pipeline.inspect(file)
        shown.show(inspection, lambda console: render(inspection, console))


def render(inspection: Inspection, console: Console) -> None:
    """Show the file as a page: head, signature, layers, findings."""
    from rich.markup import escape

    writer = f"Keras {inspection.keras_version}" if inspection.keras_version else "not recorded"
    backend = f" on {inspection.backend}" if inspection.backend else ""
    console.print(f"[bold]{escape(str(inspection.path))}[/] ({size_text(inspection.size)})")
    console.print(f"  kind        {KINDS[inspection.kind]}")
    console.print(f"  written by  {escape(writer + backend)}")
    if inspection.model_class:
        console.print(f"  model       {escape(inspection.model_class)}")
    console.print(f"  parameters  {inspection.parameters:,}")
    for spec in inspection.inputs:
        console.print(f"  input       {escape(str(spec))}")
    for name in inspection.outputs:
        console.print(f"  output      {escape(name)}")
    if inspection.custom_classes:
        console.print(f"  custom      {escape(', '.join(inspection.custom_classes))}")
    if inspection.layers:
        _render_layers(inspection.layers, console)
    for finding in inspection.findings:
        mark = f"[{COLOURS[finding.severity]}]{finding.severity.value:<7}[/]"
        console.print(f"  {mark} {finding.rule}  {escape(finding.path)}: {escape(finding.message)}")


def _render_layers(layers: tuple[LayerSummary, ...], console: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2))
    table.add_column("  layer")
    table.add_column("class")
    table.add_column("parameters", justify="right")
    table.add_column("weights")
    for layer in layers:
        shapes = "  ".join("x".join(map(str, weight.shape)) or "scalar" for weight in layer.weights)
        table.add_row(f"  {escape(layer.name)}", escape(layer.class_name), f"{layer.parameters:,}", shapes)
    console.print(table)
