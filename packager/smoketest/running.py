"""Targets that run for as long as somebody else wants to ask them, and are ended then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packager.contract import Contract, read_contract
from packager.errors import PortTakenError
from packager.progress import Report, silent
from packager.runtime import server_command
from packager.smoketest import folder, image
from packager.smoketest.container import container_spec, start
from packager.smoketest.process import LOOPBACK, check_free, free_port, run_process
from packager.smoketest.readiness import wait_until_available
from packager.smoketest.rest import RestModel
from packager.smoketest.server import LOAD_ONCE, RunningServer
from packager.smoketest.trial import log_attached
from packager.values import ImageReference, ServableVersion

if TYPE_CHECKING:
    from packager.engine import Engine

_PORT_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A version that is AVAILABLE, in a server that runs until the block is left."""

    server: RunningServer
    rest: RestModel
    model: str
    version: int
    contract: Contract | None

    @property
    def url(self) -> str:
        """``http://…/v1/models/NAME/versions/N``."""
        return self.rest.url


@contextmanager
def running_image(
    engine: Engine,
    reference: ImageReference,
    *,
    model: str | None = None,
    version: int | None = None,
    timeout: float = 120,
    port: int | None = None,
    flags: Sequence[str] = (),
    report: Report = silent,
) -> Iterator[Running]:
    """Run the image in a container and give one version, once that is AVAILABLE.

    ``flags`` are further ones of the server. Raises what ``smoke_image`` raises before it asks anything. The
    container is always removed.
    """
    found = image.find(engine, reference)
    with (
        engine.container(container_spec(found, port=port, flags=flags)) as container,
        log_attached(container.logs),
    ):
        model = image.model_name(found, model)
        versions = image.versions_in(found, container, model)
        number = folder.choose(versions, version, target=str(reference))
        contract = image.contract_in(container, versions[number])
        server = start(container)
        rest = wait_until_available(server, model=model, version=number, timeout=timeout, report=report)
        yield Running(server=server, rest=rest, model=model, version=number, contract=contract)


@contextmanager
def running_folder(
    base_path: Path,
    *,
    version: int | None = None,
    timeout: float = 120,
    port: int | None = None,
    flags: Sequence[str] = (),
    report: Report = silent,
) -> Iterator[Running]:
    """Serve a model folder by the embedded server and give one version, once that is AVAILABLE.

    Raises what ``smoke_folder`` raises before it asks anything. The process is always ended.
    """
    versions = folder.versions_in(base_path)
    servable = versions[folder.choose(versions, version, target=str(base_path))]
    with folder.serving_only(servable, highest=servable.version == max(versions)) as served:
        ports = [check_free(port)] if port is not None else [free_port() for _ in range(_PORT_ATTEMPTS)]
        while True:
            with ExitStack() as stack:
                try:
                    running = stack.enter_context(
                        _serving(served, servable, ports.pop(), timeout=timeout, flags=flags, report=report)
                    )
                except PortTakenError:  # another process was quicker
                    if not ports:
                        raise
                    continue
                yield running
                return


@contextmanager
def _serving(
    served: Path,
    servable: ServableVersion,
    rest_port: int,
    *,
    timeout: float,
    flags: Sequence[str],
    report: Report,
) -> Iterator[Running]:
    grpc_port = free_port(but=rest_port)
    command = server_command(
        served, rest_port=rest_port, grpc_port=grpc_port, address=LOOPBACK, flags=[LOAD_ONCE, *flags]
    )
    with (
        run_process(command, rest_port=rest_port, grpc_port=grpc_port) as server,
        log_attached(server.logs),
    ):
        model, version = servable.name, servable.version
        rest = wait_until_available(server, model=model, version=version, timeout=timeout, report=report)
        contract = read_contract(servable.path)
        yield Running(server=server, rest=rest, model=model, version=version, contract=contract)
