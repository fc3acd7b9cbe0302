"""``packager convert``: a versioned SavedModel from a file of Keras, or from another SavedModel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from packager import pipeline
from packager.cli import options
from packager.cli.conversion_options import Chosen, with_conversion_options
from packager.cli.screen import screen, size_text
from packager.values import Binding, Conversion, Optimization, VerifiedVersion

if TYPE_CHECKING:
    from rich.console import Console


@with_conversion_options
def convert(
    *,
    file: options.Source,
    name: options.Name,
    version: options.Version = None,
    output: options.Output = Path("models"),
    force: options.Force = False,
    chosen: Chosen,
    verify: options.VerifyFolder = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Convert FILE to a versioned SavedModel.

    Writes DIR/NAME/N with a serving_default signature, unless that is switched off: input names from the
    model's input layers, output names from its output layers, a free batch dimension. A declaration adds
    further signatures, and the preprocessing of training. The SavedModel is compared with the model in FILE
    before it is put in place, in one step. Code in the file is refused, never run. A SavedModel is copied
    as it is, and gets signatures of ours only where names or a declaration ask for them.

    Example: packager convert digits.h5 --name digits --input-name input_1=image
    """
    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        if verify is not None:
            from packager.reproduction import verify_conversion

            same = verify_conversion(file, verify, name=name, options=chosen(), report=shown.report)
            shown.show(same, lambda console: render_verified(same, console))
            return
        conversion = pipeline.convert(
            file,
            name=name,
            version=version,
            output=output,
            force=force,
            options=chosen(),
            report=shown.report,
        )
        shown.show(conversion, lambda console: render(conversion, console))


def render_verified(same: VerifiedVersion, console: Console) -> None:
    """Tell that a version is what its source gives."""
    from rich.markup import escape

    console.print(f"[bold]{escape(str(same.path))}[/]")
    console.print(f"  identical   {same.files} files, {size_text(same.size)}")
    if same.answers_apart is not None:
        how = f"within {same.answers_apart:.2g} of this processor's, which rounds otherwise"
        console.print(f"  answers     {how}")


def render(conversion: Conversion, console: Console) -> None:
    """Show where the SavedModel is and what a client sees of it."""
    from rich.markup import escape

    console.print(f"[bold]{escape(str(conversion.servable.path))}[/]")
    console.print(f"  source      {escape(str(conversion.source))} ({escape(_origin(conversion))})")
    console.print(f"  parameters  {conversion.parameters:,} in {len(conversion.bindings)} variables")
    for signature in conversion.signatures:
        console.print(f"  signature   {escape(signature.key)}")
        for way, specs in (("in", signature.inputs), ("out", signature.outputs)):
            for spec in specs:
                console.print(f"    {way:<3} {escape(str(spec))}")
    console.print(f"  parity      largest difference from the source model {conversion.parity:.3g}")
    if conversion.golden is not None:
        console.print(f"  golden      largest difference from the golden outputs {conversion.golden:.3g}")
    if conversion.optimization is not None:
        _render_gain(conversion.optimization, console)
    if len(conversion.deviations) > 1:
        for found in conversion.deviations:
            console.print(f"    {found.largest:<9.3g} {escape(found.signature)} {escape(found.output)}")
    if any(binding.matched for binding in conversion.bindings):
        _render_bindings(conversion.bindings, console)
    for warning in conversion.warnings:
        console.print(f"  [yellow]warning[/]     {escape(warning)}")


def _render_gain(done: Optimization, console: Console) -> None:
    before, after = done.before, done.after
    console.print(f"  optimized   {len(done.folded)} batch normalisations went into weights")
    for name, old, new in (
        (f"a request of {done.batch}", f"{before.latency_ms:.3g}", f"{after.latency_ms:.3g} ms"),
        ("loading", f"{before.load_seconds:.2f}", f"{after.load_seconds:.2f} s"),
        ("size", size_text(before.size), size_text(after.size)),
    ):
        console.print(f"    {name}: {old} -> {new}")


def _origin(conversion: Conversion) -> str:
    if conversion.as_it_is:
        return f"a SavedModel, taken as it is; asked with {conversion.loader}"
    if conversion.source.is_dir():
        return f"a SavedModel, signed anew with {conversion.loader}"
    return f"Keras {conversion.source_keras or 'unknown version'}, rebuilt with {conversion.loader}"


def _render_bindings(bindings: tuple[Binding, ...], console: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for column in ("  in the file", "variable", "shape", "", "matched by"):
        table.add_column(column)
    for binding in bindings:
        shape = "x".join(map(str, binding.shape)) or "scalar"
        names = (f"  {escape(binding.dataset)}", escape(binding.variable))
        table.add_row(*names, shape, binding.transform, binding.matched)
    console.print(table)
