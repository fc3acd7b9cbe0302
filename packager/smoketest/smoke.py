"""The two kinds of target of a smoke test, and the server that each one is tried in."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from packager import labels
from packager.contract import Contract, read_contract
from packager.errors import PortTakenError, SmokeError
from packager.progress import Report, say, silent, warn
from packager.runtime import server_command
from packager.smoketest import folder, image
from packager.smoketest.container import container_spec, start
from packager.smoketest.ending import check_nothing_left
from packager.smoketest.process import LOOPBACK, check_free, free_port, run_process
from packager.smoketest.server import LOAD_ONCE
from packager.smoketest.timeline import Timeline
from packager.smoketest.trial import Trial, log_attached
from packager.values import NO_LIMITS, Budget, ImageReference, SmokeReport

if TYPE_CHECKING:
    from packager.engine import Engine, EngineImage

RUN_LABEL = "org.tfserving-packager.run"
"""On the container and the network of one smoke test, with a value that no other has."""

_PORT_ATTEMPTS = 3


def smoke_image(
    engine: Engine,
    reference: ImageReference,
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
    timeline: Timeline | None = None,
    report: Report = silent,
) -> SmokeReport:
    """Run the image in a container, ask one version what its contract recorded, and judge the answers.

    The highest version is asked unless ``version`` says otherwise, of ``model`` where the image has several.
    ``timeout`` is in seconds, for getting ready and for each request; ``memory`` limits the container, in
    bytes, and ``gpus`` are how many it gets (-1: all). It is alone in a network of its own; both are always
    removed. ``grpc`` is whether to ask over gRPC beside REST, and ``timeline`` is told the phases.
    Raises ImageNotFoundError, EngineError, or a SmokeError with the server's log as its details.
    """
    timeline = timeline or Timeline()
    timeline.begin("create")
    found = image.find(engine, reference)
    model = _chosen_model(found, model, report)
    run = {RUN_LABEL: secrets.token_hex(8)}
    say(report, f"creating a container of {reference}")
    with (
        engine.network(run) as network,
        engine.container(
            container_spec(found, port=port, memory=memory, gpus=gpus, network=network, labels=run)
        ) as container,
    ):
        versions = image.versions_in(found, container, model)
        number = folder.choose(versions, version, target=str(reference))
        trial = Trial(
            target=str(reference),
            model=model,
            version=number,
            contract=_found(image.contract_in(container, versions[number]), versions[number]),
            timeout=timeout,
            tolerance=tolerance,
            budget=budget,
            grpc=grpc,
        )
        with log_attached(container.logs):
            say(report, "starting the container")
            timeline.begin("start")
            tested = trial.run(start(container), timeline, report=report)
        timeline.begin("clean-up")
    check_nothing_left(engine.labelled(RUN_LABEL, run[RUN_LABEL]))
    timeline.end()
    return replace(tested, phases=timeline.phases, image=image.described(found))


def _chosen_model(found: EngineImage, wanted: str | None, report: Report) -> str:
    """Return the model to test, and say which ones are not where nobody chose."""
    model = image.model_name(found, wanted)
    others = [name for name in labels.models_told(found.labels) if name != model]
    if others and wanted is None:
        warn(report, f"testing {model!r} alone, not {', '.join(others)}: --model NAME tests another")
    return model


def smoke_folder(
    base_path: Path,
    *,
    version: int | None = None,
    timeout: float = 120,
    tolerance: float = 1e-5,
    port: int | None = None,
    budget: Budget = NO_LIMITS,
    grpc: bool = True,
    timeline: Timeline | None = None,
    report: Report = silent,
) -> SmokeReport:
    """Serve a model folder (``models/NAME``) by the embedded server, and judge its answers the same way.

    The server is a process of its own, which is always ended. Raises what ``smoke_image`` raises, but for
    errors of the engine.
    """
    timeline = timeline or Timeline()
    versions = folder.versions_in(base_path)
    servable = versions[folder.choose(versions, version, target=str(base_path))]
    trial = Trial(
        target=str(base_path),
        model=servable.name,
        version=servable.version,
        contract=_found(read_contract(servable.path), str(servable.path)),
        timeout=timeout,
        tolerance=tolerance,
        budget=budget,
        grpc=grpc,
    )
    with folder.serving_only(servable, highest=servable.version == max(versions)) as served:

        def attempt(rest_port: int) -> SmokeReport:
            say(report, f"starting the server on port {rest_port}")
            grpc_port = free_port(but=rest_port) if grpc else 0
            command = server_command(
                served, rest_port=rest_port, grpc_port=grpc_port, address=LOOPBACK, flags=[LOAD_ONCE]
            )
            timeline.begin("start")
            with (
                run_process(command, rest_port=rest_port, grpc_port=grpc_port) as server,
                log_attached(server.logs),
            ):
                tested = trial.run(server, timeline, report=report)
                timeline.begin("clean-up")
            check_nothing_left(server.remains())
            timeline.end()
            return replace(tested, phases=timeline.phases)

        return attempt(check_free(port)) if port is not None else _on_a_free_port(attempt)


def _found(contract: Contract | None, where: str) -> Contract:
    if contract is None:
        raise SmokeError(
            f"no contract in {where!r}, so nothing tells what to ask and what to expect",
            hint="packager convert FILE --name NAME records one; a SavedModel of other origin has none",
        )
    return contract


def _on_a_free_port(attempt: Callable[[int], SmokeReport]) -> SmokeReport:
    """Try again where another process took the port between finding it free and listening on it."""
    for _ in range(_PORT_ATTEMPTS - 1):
        with suppress(PortTakenError):
            return attempt(free_port())
    return attempt(free_port())
