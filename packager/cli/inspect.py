"""``packager inspect``: what an ``.h5`` file is, without loading it, or what a made model promises."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from packager import pipeline
from packager.cli import options
from packager.cli.screen import screen, size_text
from packager.errors import UsageError
from packager.values import FileKind, Finding, Inspection, LayerSummary, Severity

if TYPE_CHECKING:
    from rich.console import Console

    from packager.contract import ExampleCall
    from packager.interface import ServedModel

KINDS = {
    FileKind.FULL_MODEL: "full model (architecture and weights)",
    FileKind.ARCHIVE: ".keras archive (architecture and weights)",
    FileKind.WEIGHTS: "weights only, no architecture",
    FileKind.KERAS3_WEIGHTS: "Keras 3 weights only, no architecture",
    FileKind.RAW: "raw datasets, no Keras model",
    FileKind.SAVED_MODEL: "SavedModel",
}
COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


MODEL_FILES = (".h5", ".hdf5", ".keras")


def inspect(
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="The .h5, .hdf5 or .keras file; or a SavedModel, model folder, OCI layout, image, or "
            "contract.json.",
            show_default=False,
        ),
    ],
    sarif: Annotated[
        Path | None,
        typer.Option("--sarif", metavar="FILE", help="Write the findings into this file as SARIF 2.1.0."),
    ] = None,
    model: options.TargetModel = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Tell what FILE is, without loading it.

    Shows its kind, who wrote it, layers, inputs and outputs, and what is unsafe in it. Nothing in the
    file is executed. Of a model that was made already, in a folder or an image, it shows the contract:
    the signatures, and a request to each with the answer that was recorded; with --verbose over gRPC too.

    Example: packager inspect model.h5 --json --sarif findings.sarif
    """
    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        if _is_model_file(target):
            inspection = pipeline.inspect(target, sarif=sarif)
            shown.show(inspection, lambda console: render(inspection, console))
        else:
            if sarif is not None:
                _require_saved_model(target)
                pipeline.inspect(target, sarif=sarif)
            from packager.interface import describe

            served = describe(target, model=model, report=shown.report)
            shown.show(served, lambda console: render_served(served, console, grpc=verbose))


def _is_model_file(target: str) -> bool:
    """Whether it is, or is meant to be, a file of Keras: no folder, no contract, no image."""
    path = Path(target)
    if path.is_dir() or path.suffix == ".json":
        return False
    return path.exists() or path.suffix in MODEL_FILES or target.startswith((".", os.sep))


def _require_saved_model(target: str) -> None:
    """Raise UsageError for what was made or built already: it has no findings of its own."""
    if not (Path(target) / "saved_model.pb").is_file():
        raise UsageError(
            f"{target!r} is neither a file nor a SavedModel, of which --sarif tells the findings",
            hint="leave --sarif away",
        )


def render_served(served: ServedModel, console: Console, *, grpc: bool = False) -> None:
    """Show a contract as a page: head, and each signature with its example."""
    from rich.markup import escape

    version = "" if served.version is None else f", version {served.version}"
    console.print(f"[bold]{escape(served.target)}[/] ({served.kind})")
    console.print(f"  model       {escape(served.model)}{version}")
    if served.source:
        console.print(f"  source      {escape(served.source)}, rebuilt with {escape(served.loader)}")
    console.print(f"  exported    by TensorFlow {escape(served.tensorflow or 'of an unknown version')}")
    if not served.recorded:
        console.print("  [yellow]no contract was recorded: these are the signatures of the graph[/]")
    examples = {call.signature: call for call in served.examples}
    for signature in served.signatures:
        console.print(f"  signature   {escape(signature.key)} [dim]{escape(signature.method)}[/]")
        for way, specs in (("in", signature.inputs), ("out", signature.outputs)):
            for spec in specs:
                console.print(f"    {way:<3} {escape(str(spec))}")
        if signature.key in examples:
            _render_example(examples[signature.key], console, grpc=grpc)
    _render_findings(served.findings, console)
    if served.kind == "version" and not served.recorded:
        step = f"packager convert {shlex.quote(served.target)} --name NAME"
        refused = "none: it is refused for its errors"
        console.print(f"  next        {escape(refused if served.findings else step)}")


def _render_example(call: ExampleCall, console: Console, *, grpc: bool) -> None:
    import json

    from rich.markup import escape

    forms = ((call.row, call.row_answer), (call.columnar, call.columnar_answer))
    for body, answer in forms:
        if body is not None:
            console.print(f"    [dim]POST :{call.interface}[/] {escape(json.dumps(body))}", soft_wrap=True)
            if answer is not None:
                console.print(f"      [dim]→[/] {escape(json.dumps(answer))}", soft_wrap=True)
    if call.row is None and call.columnar is None:
        console.print(f"    [dim]POST :{call.interface}, with a request too long to be shown[/]")
    if grpc and call.grpc:
        console.print(f"    [dim]gRPC {call.interface.capitalize()}[/]")
        for line in call.grpc.splitlines():
            console.print(f"      {escape(line)}", soft_wrap=True)


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
    _render_findings(inspection.findings, console)
    console.print(f"  next        {escape(_next_step(inspection))}")


def _render_findings(findings: tuple[Finding, ...], console: Console) -> None:
    from rich.markup import escape

    for finding in findings:
        mark = f"[{COLOURS[finding.severity]}]{finding.severity.value:<7}[/]"
        console.print(f"  {mark} {finding.rule}  {escape(finding.path)}: {escape(finding.message)}")


def _next_step(inspection: Inspection) -> str:
    """Return what to type to convert the file."""
    from packager.h5 import lambda_hint

    file = shlex.quote(str(inspection.path))
    convert = f"packager convert {file} --name NAME"
    if errors := inspection.errors:
        answer = lambda_hint(errors)
        return f"{convert} {answer}" if answer else "none: the file is refused for its errors"
    if inspection.kind is FileKind.RAW:
        return f"packager map {file}"
    if not inspection.kind.has_architecture:
        return f"{convert} --architecture model.json"
    return f"{convert} --custom-objects file.py" if inspection.custom_classes else convert


_MOST_LAYERS = 2_000
"""Layers that the table shows; ``--json`` has them all."""


def _render_layers(layers: tuple[LayerSummary, ...], console: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2))
    table.add_column("  layer")
    table.add_column("class")
    table.add_column("parameters", justify="right")
    table.add_column("weights")
    for layer in layers[:_MOST_LAYERS]:
        shapes = "  ".join("x".join(map(str, weight.shape)) or "scalar" for weight in layer.weights)
        table.add_row(f"  {escape(layer.name)}", escape(layer.class_name), f"{layer.parameters:,}", shapes)
    console.print(table)
    if (more := len(layers) - _MOST_LAYERS) > 0:
        console.print(f"  … and {more:,} more, which --json tells")
