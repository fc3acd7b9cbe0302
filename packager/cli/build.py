"""``packager build``: a serving image around a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from packager import pipeline
from packager.cli import options
from packager.cli.screen import screen, size_text
from packager.errors import UsageError
from packager.values import BuiltImage, VerifiedImage

if TYPE_CHECKING:
    from rich.console import Console


def build(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A model folder: models/NAME.", show_default=False)
    ],
    tag: Annotated[
        str | None,
        typer.Option(
            "--tag", "-t", metavar="REF", help="[registry/]name[:tag] of the image.", show_default=False
        ),
    ] = None,
    base: options.Base = "official",
    version: Annotated[
        list[int] | None,
        typer.Option("--version", metavar="N", help="Only this version. Repeatable.", show_default="all"),
    ] = None,
    engine: options.EngineChoice = "auto",
    oci_layout: options.OciLayout = None,
    tarball: options.Tarball = None,
    push: Annotated[
        bool, typer.Option("--push", help="Push the image too; with --engine none, straight from its parts.")
    ] = False,
    verify: Annotated[
        str | None,
        typer.Option(
            "--verify",
            metavar="REF",
            help="Build nothing: see that the image REF, in the engine or its registry, is to the byte what "
            "would be built.",
        ),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Build an image that serves MODEL.

    The image has TensorFlow Serving's ports (8500 gRPC, 8501 REST), paths and environment on every base,
    and runs as a non-root user. The same model on the same base has the same image id, whether it is put
    into the engine, written as an OCI layout or a tarball, or pushed with no engine at all.

    Example: packager build models/digits --tag registry.example.com/digits:1
    """
    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        if verify is not None:
            verified = pipeline.verify(
                model, verify, base=base, versions=version or (), engine=engine, report=shown.report
            )
            shown.show(verified, lambda console: render_verified(verified, console))
            return
        if tag is None:
            raise UsageError("the image needs a name", hint="--tag registry.example.com/digits:1")
        image = pipeline.build(
            model,
            tag=tag,
            base=base,
            versions=version or (),
            engine=engine,
            oci_layout=oci_layout,
            tarball=tarball,
            push=push,
            report=shown.report,
        )
        shown.show(image, lambda console: render(image, console))


def render_verified(image: VerifiedImage, console: Console) -> None:
    """Show what was found equal."""
    console.print(f"[bold]{image.reference}[/] is what this model on this base gives: {image.image_id}")


def render(image: BuiltImage, console: Console) -> None:
    """Show the image, by names and digests that can be copied."""
    from rich.markup import escape

    console.print(f"[bold]{escape(str(image.reference))}[/]")
    console.print(f"  serves      {image.model_name}, version {', '.join(map(str, image.versions))}")
    console.print(f"  base        {escape(image.base)} ({image.base_kind})")
    console.print(f"  platform    {image.platform}, {size_text(image.size)}")
    console.print(f"  image id    {image.image_id}")
    if image.layout:
        console.print(f"  layout      {escape(str(image.layout))}")
    if image.tarball:
        console.print(f"  tarball     {escape(str(image.tarball))}")
    if image.digest:
        console.print(f"  digest      {image.digest}")
    if image.pushed and image.digest:
        console.print(f"  pushed      {image.reference.with_digest(image.digest)}")
