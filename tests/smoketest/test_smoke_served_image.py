"""Smoke tests of an image that really serves: two versions of a model on the embedded base."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from packager.engine import Engine
from packager.errors import NotReadyError, OutOfMemoryError
from packager.image import build_image
from packager.smoketest import smoke_folder, smoke_image
from packager.smoketest.folder import versions_in
from packager.values import ImageReference, ServingOptions

pytestmark = [pytest.mark.engine, pytest.mark.tensorflow]


@pytest.fixture(scope="module")
def image(engine: Engine, pristine: Path) -> Iterator[ImageReference]:
    reference = ImageReference.parse(f"packager-test/served:{secrets.token_hex(4)}")
    build_image(tuple(versions_in(pristine).values()), reference, base="embedded", engine=engine)
    yield reference
    engine.remove_image(str(reference))


def test_an_image_answers_as_the_process_does(engine: Engine, image: ImageReference, pristine: Path):
    in_container, as_process = smoke_image(engine, image), smoke_folder(pristine)
    assert (in_container.mode, in_container.version, in_container.target) == ("container", 2, str(image))
    assert in_container.max_difference < 1e-5
    told = [
        [(p.form, p.batch, p.predictions) for p in report.probes] for report in (in_container, as_process)
    ]
    assert told[0] == told[1]


def test_a_version_that_the_server_does_not_serve_is_given_up_early(engine: Engine, image: ImageReference):
    began = time.monotonic()
    with pytest.raises(
        NotReadyError, match="does not serve version 1 of 'm': HTTP 404: Could not find version"
    ):
        smoke_image(engine, image, version=1)
    assert time.monotonic() - began < 30


def test_too_little_memory_is_told_as_that(engine: Engine, image: ImageReference):
    with pytest.raises(OutOfMemoryError, match="out of memory"):
        smoke_image(engine, image, memory=16 << 20)


def test_each_model_of_several_and_each_version_can_be_tested(
    engine: Engine, pristine: Path, image: ImageReference
):
    servables = [*versions_in(pristine).values()]
    both = ImageReference.parse(f"{image.path}-both:{image.tag}")
    renamed = [replace(servable, name="n") for servable in servables]
    build_image(
        [*servables, *renamed], both, serving=ServingOptions(policy="all"), base="embedded", engine=engine
    )
    try:
        report = smoke_image(engine, both, model="n", version=1)
    finally:
        engine.remove_image(str(both))
    assert (report.version, report.max_difference < 1e-5) == (1, True)
    assert report.probes
