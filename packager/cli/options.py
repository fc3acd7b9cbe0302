"""The options that several verbs share, spelled once."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from packager.errors import OutputError, UsageError
from packager.values import PushedImage, RegistryAccess

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="The .h5, .hdf5 or .keras file.", show_default=False)
]
Source = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="The .h5, .hdf5 or .keras file, or a SavedModel folder.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout, and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors and warnings.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Tell more of what is being done.")]

Name = Annotated[
    str, typer.Option("--name", metavar="NAME", help="The model's name in request paths.", show_default=False)
]
Version = Annotated[
    int | None,
    typer.Option("--version", metavar="N", help="Version number.", show_default="the next free one"),
]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of all models.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the version if it exists, in one step.")]
VerifyFolder = Annotated[
    Path | None,
    typer.Option(
        "--verify",
        metavar="DIR",
        help="Make nothing: convert again aside, and see that this version folder is the same to the byte.",
    ),
]
Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="A model or version folder, an OCI layout, an image in the engine or a registry, or a "
        "contract.json.",
        show_default=False,
    ),
]
TargetModel = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="Which model, of an image with several.")
]
TargetVersion = Annotated[
    int | None,
    typer.Option("--version", metavar="N", help="Version of several.", show_default="the highest"),
]
Server = Annotated[str, typer.Option("--server", metavar="URL", help="Where the model is served.")]
Tag = Annotated[
    list[str],
    typer.Option(
        "--tag",
        "-t",
        metavar="REF",
        help="[registry/]name[:tag] of the image. Repeatable: a push goes to all of them.",
        show_default=False,
    ),
]
Username = Annotated[
    str | None, typer.Option("--username", metavar="NAME", help="Whom to log in to the registry as.")
]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password for --username from stdin.")
]
CaCert = Annotated[
    Path | None,
    typer.Option("--ca-cert", metavar="FILE", help="Certificates (PEM) to trust the registry by."),
]
PlainHttp = Annotated[
    bool,
    typer.Option("--plain-http", help="Speak http with the registry; on loopback that is always done."),
]
Sign = Annotated[
    str | None,
    typer.Option("--sign", metavar="KEY", help="Sign what was pushed with this key, by cosign."),
]
ImageRefs = Annotated[
    Path | None,
    typer.Option(
        "--image-refs", metavar="FILE", help="Write what was pushed into this file, pinned by digest."
    ),
]
Attest = Annotated[
    bool,
    typer.Option("--attest/--no-attest", help="Push an SBOM and a provenance statement beside the image."),
]
Base = Annotated[
    str,
    typer.Option(
        "--base",
        metavar="BASE",
        help="official (tensorflow/serving), embedded (packager's own runtime, built offline), "
        "embedded:debian (the same out of Debian's packages), auto (official if obtainable, else embedded), "
        "or an image reference.",
    ),
]
EngineChoice = Annotated[
    str, typer.Option("--engine", metavar="ENGINE", help="docker, none, or auto: docker where it answers.")
]
OciLayout = Annotated[
    Path | None,
    typer.Option("--oci-layout", metavar="DIR", help="Write the image as an OCI layout into this folder."),
]
Tarball = Annotated[
    Path | None,
    typer.Option("--tarball", metavar="FILE", help="Write the image into this file, for `docker load`."),
]
Timeout = Annotated[
    float, typer.Option("--timeout", metavar="S", help="Seconds until the model must be ready.")
]
Tolerance = Annotated[
    float, typer.Option("--tolerance", metavar="X", help="Largest difference allowed, absolute and relative.")
]


def parse_access(
    username: str | None, password_stdin: bool, ca_cert: Path | None, plain_http: bool
) -> RegistryAccess:
    """Parse how registries are to be reached, or raise UsageError; the password is read from stdin."""
    if password_stdin and username is None:
        raise UsageError("whose password is it?", hint="--username NAME --password-stdin")
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    if password_stdin and not password:
        raise UsageError("no password on stdin", hint="echo $TOKEN | packager push REF --username NAME ...")
    return RegistryAccess(username=username, password=password, ca_certificate=ca_cert, plain_http=plain_http)


def parse_models(model: Path | None, models: Sequence[str] | None) -> Path | dict[str, Path]:
    """Parse the model folder, or ``name=folder`` of each of several, or raise UsageError."""
    named = parse_renames(models, "--model", "digits=models/digits")
    if len(named) < len(models or ()):
        raise UsageError("a model's name is given twice", hint="--model digits=models/digits --model ...")
    if (model is None) == (not named):
        raise UsageError(
            "name one model folder, or several by --model",
            hint="packager build models/digits, or --model a=models/a --model b=models/b",
        )
    return model if model is not None else {name: Path(folder) for name, folder in named.items()}


def check_push(push: bool, image_refs: Path | None, sign: str | None) -> None:
    """Raise UsageError where something is to be done with what is pushed, and nothing is."""
    given = {"--image-refs": image_refs, "--sign": sign}
    if useless := [name for name, value in given.items() if value is not None and not push]:
        raise UsageError(f"{useless[0]} is about what is pushed, and nothing is", hint="add --push")


def write_image_refs(file: Path | None, pushed: PushedImage | None) -> None:
    """Write the references of what was pushed, pinned by digest, one a line."""
    if file is None or pushed is None:
        return
    text = "".join(f"{image.pinned}\n" for image in (pushed, *pushed.also))
    aside = file.with_name(f".{file.name}-new")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(file)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise OutputError(
            f"cannot write '{file}': {(error.strerror or str(error)).lower()}", hint="--image-refs FILE"
        ) from error


def parse_renames(pairs: Sequence[str] | None, option: str, example: str = "input_1=image") -> dict[str, str]:
    """Parse ``old=new`` arguments of ``option``, or raise UsageError."""
    names: dict[str, str] = {}
    for pair in pairs or ():
        old, equals, new = pair.partition("=")
        if not (old and equals and new):
            raise UsageError(f"invalid {option} {pair!r}", hint=f"for instance {option} {example}")
        names[old] = new
    return names


def parse_size(text: str | None, option: str) -> int | None:
    """Parse a number of bytes such as ``512MB``, or raise UsageError; units are decimal, ``MiB`` is not."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?i?b?)", text.strip().lower())
    if match is None:
        raise UsageError(f"invalid {option} {text!r}", hint=f"write a size: {option} 512MB")
    unit = match[2].rstrip("b")
    return int(float(match[1]) * (1024 if unit.endswith("i") else 1000) ** " kmg".index(unit[:1] or " "))


def parse_latencies(limits: Sequence[str] | None, option: str) -> tuple[tuple[float, float], ...]:
    """Parse limits such as ``p99=50ms`` into percentiles and milliseconds, or raise UsageError."""
    parsed = []
    for limit in limits or ():
        match = re.fullmatch(r"p(\d+(?:\.\d+)?)=(\d+(?:\.\d+)?)(ms|s)", limit.strip().lower())
        if match is None:
            raise UsageError(f"invalid {option} {limit!r}", hint=f"{option} p99=50ms")
        parsed.append((float(match[1]), float(match[2]) * (1000 if match[3] == "s" else 1)))
    return tuple(parsed)


def parse_gpus(text: str | None) -> int | None:
    """Parse a number of GPUs, ``all`` as -1, or raise UsageError."""
    if text is None:
        return None
    if text == "all":
        return -1
    if not text.isdecimal() or int(text) == 0:
        raise UsageError(f"invalid --gpus {text!r}", hint="--gpus all, or how many: --gpus 1")
    return int(text)
