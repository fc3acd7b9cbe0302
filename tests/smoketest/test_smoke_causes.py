"""Every cause of failure, made real: found in its phase, in time, by its exit code and in plain words."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from causes import CAUSES, CONTAINER_FAULTS, MODEL_FAULTS, SERVER_FAULTS, Cause, found

from packager.engine import Engine
from packager.image import build_image
from packager.image.tarball import Entry, tar_stream
from packager.smoketest import smoke_folder, smoke_image
from packager.smoketest.folder import versions_in
from packager.values import ImageReference

pytestmark = [pytest.mark.tensorflow, pytest.mark.engine]


def named(cause: Cause) -> str:
    return cause.name


@pytest.mark.parametrize("cause", MODEL_FAULTS, ids=named)
def test_a_fault_of_the_model_is_found(pristine: Path, tmp_path: Path, cause: Cause):
    model = Path(shutil.copytree(pristine, tmp_path / "m"))
    assert callable(cause.make)
    cause.make(model / "2")
    with found(cause) as timeline:
        smoke_folder(model, timeline=timeline, **cause.settings)


@pytest.mark.parametrize("cause", CONTAINER_FAULTS, ids=named)
def test_a_fault_of_the_container_is_found(
    engine: Engine,
    tiny_base: ImageReference,
    new_tag: Callable[..., ImageReference],
    pristine: Path,
    cause: Cause,
):
    tag = new_tag()
    build(engine, tiny_base, tag, cause, pristine)
    with found(cause) as timeline:
        smoke_image(engine, tag, timeline=timeline, **cause.settings)


@pytest.fixture(scope="module")
def served(engine: Engine, pristine: Path) -> Iterator[ImageReference]:
    reference = ImageReference.parse(f"packager-test/served:{secrets.token_hex(4)}")
    build_image(tuple(versions_in(pristine).values()), reference, base="embedded", engine=engine)
    yield reference
    engine.remove_image(str(reference))


@pytest.mark.parametrize("cause", SERVER_FAULTS, ids=named)
def test_a_fault_of_the_server_is_found(
    engine: Engine, served: ImageReference, new_tag: Callable[..., ImageReference], cause: Cause
):
    tag = new_tag()
    build(engine, served, tag, cause)
    with found(cause) as timeline:
        smoke_image(engine, tag, timeline=timeline, **cause.settings)


def test_causes_have_names_of_their_own():
    assert len({cause.name for cause in CAUSES}) == len(CAUSES)


def build(
    engine: Engine, base: ImageReference, tag: ImageReference, cause: Cause, model: Path | None = None
) -> None:
    """Build an image on ``base`` whose server is the script of ``cause``, with ``model`` in it."""
    files = [path for path in model.rglob("*") if path.is_file()] if model else []
    dockerfile = [
        f"FROM {base}",
        "ENV MODEL_NAME=m",
        f"ENTRYPOINT {json.dumps(['sh', '-c', cause.make, 'serve'])}",
        *(("COPY models /models", "COPY arm64-program /etc/arm64-program") if model else ()),
    ]
    entries = [
        Entry(path="Dockerfile", content="\n".join(dockerfile).encode(), mode=0o644),
        Entry(path="arm64-program", content=ARM64_PROGRAM, mode=0o755),
        *(Entry(path=f"models/m/{path.relative_to(model)}", source=path, mode=0o644) for path in files),
    ]
    engine.build(tar_stream(entries), tag=tag, arguments={}, labels={})


ARM64_PROGRAM = (
    b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + b"\xb7\x00" + b"\x01\x00\x00\x00" + bytes(24)
) + b"\x00\x00\x00\x00\x40\x00\x38\x00\x01\x00\x40\x00\x00\x00\x00\x00"
"""The head of an ELF file for AArch64: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html"""
