"""Smoke tests that are told whether they go well or not: of one target, on one server after another."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from packager import pipeline
from packager.errors import PackagerError, UsageError
from packager.pipeline import PathLike
from packager.progress import Report, info, silent
from packager.smoketest import Timeline
from packager.values import SmokeOutcome, SmokeSettings

PROCESS = "process"
"""The embedded server as a local process, beside the bases that images are built on."""


def smoke_outcomes(
    target: PathLike, settings: SmokeSettings, *, bases: Sequence[str] = (), report: Report = silent
) -> tuple[SmokeOutcome, ...]:
    """Smoke-test ``target`` as it is, or a model folder on each of ``bases`` in turn.

    A base is what ``pipeline.build`` takes, or ``process``. An image that is built for the test is removed
    after it. A failure is told in its outcome and ends nothing; only UsageError is raised.
    """
    if bases and not Path(target).is_dir():
        raise UsageError(
            f"{os.fspath(target)!r} is no model folder to put on a base",
            hint="packager smoke models/NAME --base embedded; an image is tested as it is",
        )
    return tuple(_outcome(target, base, settings, report) for base in (bases or (None,)))


def _outcome(target: PathLike, base: str | None, settings: SmokeSettings, report: Report) -> SmokeOutcome:
    timeline = Timeline()
    tested, failure = None, None
    if base:
        info(report, f"on {base}")
    try:
        with _on_base(target, base, settings, timeline, report) as served:
            tested = pipeline.smoke(
                served,
                model=settings.model,
                version=settings.version,
                timeout=settings.timeout,
                tolerance=settings.tolerance,
                port=settings.port,
                memory=settings.memory,
                gpus=settings.gpus,
                budget=settings.budget,
                grpc=settings.grpc,
                compare_warmup=settings.compare_warmup,
                timeline=timeline,
                report=report,
            )
    except UsageError:
        raise
    except PackagerError as error:
        failure = error
    return SmokeOutcome(
        target=os.fspath(target), base=base, phases=timeline.phases, report=tested, error=failure
    )


@contextmanager
def _on_base(
    target: PathLike, base: str | None, settings: SmokeSettings, timeline: Timeline, report: Report
) -> Iterator[PathLike]:
    """Give what to test: ``target``, or an image of it on ``base`` that is removed afterwards."""
    if base is None or base == PROCESS:
        yield target
        return
    from packager.engine import connect

    timeline.begin("build")
    tag = f"packager-smoke/{Path(target).resolve().name.lower()}:{secrets.token_hex(6)}"
    versions = () if settings.version is None else (settings.version,)
    with closing(connect(otherwise="or test it without one: --base process")) as engine:
        try:
            pipeline.build(target, tag=tag, base=base, versions=versions, engine="docker", report=report)
            yield tag
        finally:
            engine.remove_image(tag)
