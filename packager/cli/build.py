"""``packager build``: a serving image around one model folder or several."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from packager import pipeline
from packager.cli import options
from packager.cli.push import render as render_pushed
from packager.cli.screen import screen, size_text
from packager.values import BuiltImage, ServingOptions, VerifiedImage, VersionLabel

if TYPE_CHECKING:
    from rich.console import Console


def build(
    model: Annotated[
        Path | None, typer.Argument(metavar="MODEL", help="A model folder: models/NAME.", show_default=False)
    ] = None,
    tag: options.Tag = [],  # noqa: B006 - typer copies it
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model", metavar="NAME=DIR", help="In place of MODEL: one of several models. Repeatable."
        ),
    ] = None,
    base: options.Base = "official",
    version: Annotated[
        list[int] | None,
        typer.Option("--version", metavar="N", help="Only this version. Repeatable.", show_default="all"),
    ] = None,
    version_policy: Annotated[
        str, typer.Option("--version-policy", metavar="P", help="What is served: latest, all, or N,N.")
    ] = "latest",
    version_label: Annotated[
        list[str] | None,
        typer.Option(
            "--version-label",
            metavar="[NAME/]L=N",
            help="Let clients ask for version N by the label L. Repeatable.",
        ),
    ] = None,
    batching: Annotated[
        Path | None,
        typer.Option("--batching", metavar="FILE", help="BatchingParameters, as protobuf text."),
    ] = None,
    monitoring: Annotated[
        Path | None,
        typer.Option("--monitoring", metavar="FILE", help="MonitoringConfig, as protobuf text."),
    ] = None,
    engine: options.EngineChoice = "auto",
    oci_layout: options.OciLayout = None,
    tarball: options.Tarball = None,
    push: Annotated[
        bool, typer.Option("--push", help="Push the image too, straight from its parts.")
    ] = False,
    compression: Annotated[
        str,
        typer.Option(
            "--compression",
            metavar="C",
            help="Of the model's layers in registries and layouts: none, gzip or zstd.",
        ),
    ] = "none",
    attest: options.Attest = True,
    sign: options.Sign = None,
    image_refs: options.ImageRefs = None,
    username: options.Username = None,
    password_stdin: options.PasswordStdin = False,
    ca_cert: options.CaCert = None,
    plain_http: options.PlainHttp = False,
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
    """Build an image that serves MODEL, or several models.

    The image has TensorFlow Serving's ports (8500 gRPC, 8501 REST), paths and environment on every base,
    and runs as a non-root user. The same model on the same base has the same image id, whether it is put
    into the engine, written as an OCI layout or a tarball, or pushed with no engine at all.

    Example: packager build models/digits --tag registry.example.com/digits:1
    """
    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        wanted = options.parse_models(model, models)
        access = options.parse_access(username, password_stdin, ca_cert, plain_http)
        serving = ServingOptions(
            policy=version_policy,
            labels=tuple(map(VersionLabel.parse, version_label or ())),
            batching=batching,
            monitoring=monitoring,
        )
        if verify is not None:
            verified = pipeline.verify_build(
                wanted,
                verify,
                base=base,
                versions=version or (),
                serving=serving,
                engine=engine,
                access=access,
                report=shown.report,
            )
            shown.show(verified, lambda console: render_verified(verified, console))
            return
        options.check_push(push, image_refs, sign)
        image = pipeline.build(
            wanted,
            tag=tag,
            base=base,
            versions=version or (),
            serving=serving,
            engine=engine,
            oci_layout=oci_layout,
            tarball=tarball,
            push=push,
            attest=attest,
            sign=sign,
            compression=compression,
            access=access,
            report=shown.report,
        )
        options.write_image_refs(image_refs, image.pushed)
        shown.show(image, lambda console: render(image, console))


def render_verified(image: VerifiedImage, console: Console) -> None:
    """Show what was found equal."""
    console.print(f"[bold]{image.reference}[/] is what this model on this base gives: {image.image_id}")


def render(image: BuiltImage, console: Console) -> None:
    """Show the image, by names and digests that can be copied."""
    from rich.markup import escape

    for name in (image.reference, *image.also):
        console.print(f"[bold]{escape(str(name))}[/]")
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
    if image.pushed:
        console.print("pushed")
        render_pushed(image.pushed, console)
