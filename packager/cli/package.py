"""``packager package``: everything in order, from the file to a tested image and its release record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from packager import pipeline
from packager.cli import options
from packager.cli.build import render as render_image
from packager.cli.conversion_options import Chosen, with_conversion_options
from packager.cli.convert import render as render_conversion
from packager.cli.push import render as render_pushed
from packager.cli.screen import screen
from packager.cli.smoke import render as render_report
from packager.values import Release

if TYPE_CHECKING:
    from rich.console import Console


@with_conversion_options
def package(
    *,
    file: options.Source,
    name: options.Name,
    tag: options.Tag,
    version: options.Version = None,
    output: options.Output = Path("models"),
    force: options.Force = False,
    chosen: Chosen,
    base: options.Base = "official",
    engine: options.EngineChoice = "auto",
    oci_layout: options.OciLayout = None,
    timeout: options.Timeout = 120,
    tolerance: options.Tolerance = 1e-5,
    push: Annotated[bool, typer.Option("--push", help="Push the image once its answers are right.")] = False,
    attest: options.Attest = True,
    sign: options.Sign = None,
    image_refs: options.ImageRefs = None,
    username: options.Username = None,
    password_stdin: options.PasswordStdin = False,
    ca_cert: options.CaCert = None,
    plain_http: options.PlainHttp = False,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record", metavar="FILE", help="Release record.", show_default="DIR/NAME/release.json"
        ),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Convert FILE, build its image, test it, and push it.

    Pushes only with --push. Stops at the first stage that fails, so an image that answers wrongly is
    never pushed. What was made, from what, and what it answered is written to a release record.

    Example: packager package digits.h5 --name digits --tag registry.example.com/digits:1 --push
    """
    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        options.check_push(push, image_refs, sign)
        release = pipeline.package(
            file,
            name=name,
            tag=tag,
            version=version,
            output=output,
            force=force,
            options=chosen(),
            base=base,
            engine=engine,
            oci_layout=oci_layout,
            timeout=timeout,
            tolerance=tolerance,
            push=push,
            attest=attest,
            sign=sign,
            access=options.parse_access(username, password_stdin, ca_cert, plain_http),
            record=record,
            report=shown.report,
        )
        options.write_image_refs(image_refs, release.pushed)
        shown.show(release, lambda console: render(release, console))


def render(release: Release, console: Console) -> None:
    """Show the release, stage by stage."""
    from rich.markup import escape

    render_conversion(release.conversion, console)
    render_image(release.image, console)
    render_report(release.smoke, console)
    if release.pushed:
        console.print("pushed")
        render_pushed(release.pushed, console)
    console.print(f"release record {escape(str(release.record))}")
