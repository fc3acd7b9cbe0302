"""Servers as verbs: smoke-tested, or run for tests of one's own; see ``packager.pipeline``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packager.imaging import docker_engine
from packager.progress import Report, say, silent
from packager.values import NO_LIMITS, Budget, SmokeReport

if TYPE_CHECKING:
    from packager.smoketest import Running, Timeline

PathLike = str | os.PathLike[str]

_WITHOUT_ENGINE = "or test the model's folder, which needs none: packager smoke models/NAME"


def smoke(
    target: PathLike,
    *,
    model: str | None = None,
    version: int | None = None,
    timeout: float = 120,
    tolerance: float = 1e-5,
    port: int | None = None,
    memory: int | None = None,
    gpus: int | None = None,
    budget: Budget = NO_LIMITS,
    grpc: bool = True,
    compare_warmup: bool = False,
    timeline: Timeline | None = None,
    report: Report = silent,
) -> SmokeReport:
    """Run ``target``, an image reference or a model folder, and compare its answers with the recorded ones.

    ``model`` is one of an image with several. ``version`` is the highest one unless given, ``timeout``
    seconds bound the wait for it, ``tolerance`` is absolute and relative. ``memory`` in bytes and ``gpus``
    (-1: all) are what a container gets, ``budget`` is what the server may cost, ``grpc`` whether to ask over
    gRPC beside REST, and ``timeline`` is told the phases. ``compare_warmup`` starts the server once more,
    without its warm-up, to compare the first request. A folder is served by the embedded server as a local
    process. Raises a SmokeError that tells the cause; nothing keeps running.
    """
    from packager.smoketest import NO_WARMUP, Timeline, smoke_folder, smoke_image, with_warmup_effect
    from packager.targets import reference_of

    timeline = timeline or Timeline()
    if Path(target).is_dir():
        tested = smoke_folder(
            Path(target),
            version=version,
            timeout=timeout,
            tolerance=tolerance,
            port=port,
            budget=budget,
            grpc=grpc,
            timeline=timeline,
            report=report,
        )
    else:
        reference = reference_of(os.fspath(target))
        timeline.begin("engine")
        with docker_engine(_WITHOUT_ENGINE) as engine:
            tested = smoke_image(
                engine,
                reference,
                model=model,
                version=version,
                timeout=timeout,
                tolerance=tolerance,
                port=port,
                memory=memory,
                gpus=gpus,
                budget=budget,
                grpc=grpc,
                timeline=timeline,
                report=report,
            )
    if not compare_warmup:
        return tested
    say(report, "starting the server without its warm-up")
    with serving(
        target,
        model=model,
        version=tested.version,
        timeout=timeout,
        port=port,
        flags=[NO_WARMUP],
        report=report,
    ) as cold:
        return with_warmup_effect(tested, cold)


@contextlib.contextmanager
def running(
    target: PathLike,
    *,
    version: int | None = None,
    timeout: float = 120,
    port: int | None = None,
    report: Report = silent,
) -> Iterator[str]:
    """Run ``target`` as ``smoke`` does, for tests of your own: gives ``http://…/v1/models/NAME/versions/N``.

    Ask ``f"{url}:predict"``. What was started is ended when the block is left. Raises a SmokeError where the
    version does not become AVAILABLE within ``timeout`` seconds.
    """
    with serving(target, version=version, timeout=timeout, port=port, report=report) as served:
        yield served.url


@contextlib.contextmanager
def serving(
    target: PathLike,
    *,
    model: str | None = None,
    version: int | None = None,
    timeout: float = 120,
    port: int | None = None,
    flags: Sequence[str] = (),
    report: Report = silent,
) -> Iterator[Running]:
    """Run ``target`` as ``running`` does, and give all that is known of its server; ``flags`` are for it."""
    from packager.smoketest import running_folder, running_image
    from packager.targets import reference_of

    with contextlib.ExitStack() as stack:
        if Path(target).is_dir():
            running = running_folder(
                Path(target), version=version, timeout=timeout, port=port, flags=flags, report=report
            )
        else:
            reference = reference_of(os.fspath(target))
            engine = stack.enter_context(docker_engine(_WITHOUT_ENGINE))
            running = running_image(
                engine,
                reference,
                model=model,
                version=version,
                timeout=timeout,
                port=port,
                flags=flags,
                report=report,
            )
        yield stack.enter_context(running)
