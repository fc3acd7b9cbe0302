"""What a smoke test asks of a server that was started, whichever way it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from packager.contract import Contract
from packager.errors import PackagerError, RequestError, SmokeError, UsageError
from packager.progress import Report, silent
from packager.smoketest.logs import excerpt
from packager.smoketest.probing import probe
from packager.smoketest.readiness import POLL_INTERVAL, wait_until_available
from packager.smoketest.rest import ConnectionLostError, RestModel
from packager.smoketest.server import RunningServer, ServerExit
from packager.values import Probe, SmokeReport

_DYING_TIME = 2.0
"""Seconds in which a server that dropped a connection may turn out to have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One version, the contract that it has to keep, and how strictly."""

    target: str
    model: str
    version: int
    contract: Contract
    timeout: float
    """Seconds for getting ready, and for each request."""
    tolerance: float

    def __post_init__(self) -> None:
        if not self.timeout > 0:
            raise UsageError(f"invalid timeout {self.timeout:g}", hint="give seconds: --timeout 120")
        if not self.tolerance >= 0:
            raise UsageError(f"invalid tolerance {self.tolerance:g}", hint="--tolerance 1e-5")

    def run(self, server: RunningServer, *, report: Report = silent) -> SmokeReport:
        """Wait for the version, ask it every recorded sample, and report; raise at the first fault."""
        rest = wait_until_available(
            server, model=self.model, version=self.version, timeout=self.timeout, report=report
        )
        ready = time.monotonic() - server.started
        return SmokeReport(
            target=self.target,
            mode=server.mode,
            model_name=self.model,
            version=self.version,
            ready_s=ready,
            probes=self._ask(rest, server, report),
            tolerance=self.tolerance,
        )

    def _ask(self, rest: RestModel, server: RunningServer, report: Report) -> tuple[Probe, ...]:
        try:
            return probe(rest, self.contract.samples, tolerance=self.tolerance, report=report)
        except ConnectionLostError as error:
            if end := _ended(server):
                raise RequestError(
                    f"the server ended while it was asked: {end} ({error})", hint=error.hint
                ) from error
            raise


@contextmanager
def log_attached(read: Callable[[], str]) -> Iterator[None]:
    """Give a smoke error the server's log as details, while there still is one to read."""
    try:
        yield
    except SmokeError as error:
        with suppress(PackagerError):  # an engine that is gone has no log, and the error matters more
            error.details = error.details or excerpt(read())
        raise


def _ended(server: RunningServer) -> ServerExit | None:
    """Return how the server ended, if it did; one that just dropped a connection may need a moment."""
    deadline = time.monotonic() + _DYING_TIME
    while (end := server.exit()) is None and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL)
    return end
