"""What a smoke test asks of a server that was started, whichever way it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass

from packager.contract import Contract
from packager.errors import PackagerError, SmokeError, UsageError
from packager.progress import Report, say, silent
from packager.smoketest.budget import check_budget
from packager.smoketest.diagnosis import ended_while_asked
from packager.smoketest.ending import check_end
from packager.smoketest.forms import example_requests
from packager.smoketest.grpc_model import GrpcModel, grpc_model
from packager.smoketest.logs import excerpt
from packager.smoketest.metadata import check_signatures
from packager.smoketest.probing import probe
from packager.smoketest.readiness import POLL_INTERVAL, wait_until_available
from packager.smoketest.refusals import check_refusals
from packager.smoketest.rest import ConnectionLostError, RestModel
from packager.smoketest.server import RunningServer, ServerExit
from packager.smoketest.steady import steady_latencies
from packager.smoketest.timeline import Timeline
from packager.values import NO_LIMITS, Budget, Probe, SmokeReport

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
    budget: Budget = NO_LIMITS
    grpc: bool = True
    """Whether to ask over gRPC too, where the server serves it."""

    def __post_init__(self) -> None:
        if not self.timeout > 0:
            raise UsageError(f"invalid timeout {self.timeout:g}", hint="give seconds: --timeout 120")
        if not self.tolerance >= 0:
            raise UsageError(f"invalid tolerance {self.tolerance:g}", hint="--tolerance 1e-5")

    def run(
        self, server: RunningServer, timeline: Timeline | None = None, *, report: Report = silent
    ) -> SmokeReport:
        """Take ``server`` through every phase until it has ended, and report; raise at the first fault."""
        timeline = timeline or Timeline()
        rest = wait_until_available(
            server,
            model=self.model,
            version=self.version,
            timeout=self.timeout,
            timeline=timeline,
            report=report,
        )
        ready = time.monotonic() - server.started
        with _told_if_ended(server):
            probes, steady = self._ask(server, rest, timeline, report)
        usage = server.usage()
        tested = SmokeReport(
            target=self.target,
            mode=server.mode,
            model_name=self.model,
            version=self.version,
            ready_s=ready,
            probes=probes,
            tolerance=self.tolerance,
            cold_start_s=ready + probes[0].latency_ms / 1000,
            steady_ms=steady,
            memory_bytes=None if usage is None else usage.memory_bytes,
            signatures=self.contract.signatures,
            examples=example_requests(self.contract.samples, f"{rest.path}:predict"),
        )
        timeline.begin("budget")
        check_budget(tested, self.budget)
        timeline.begin("stop")
        say(report, "asking the server to end")
        check_end(server)
        timeline.end()
        return tested

    def _ask(
        self, server: RunningServer, rest: RestModel, timeline: Timeline, report: Report
    ) -> tuple[tuple[Probe, ...], tuple[float, ...]]:
        samples = self.contract.samples
        timeline.begin("metadata")
        check_signatures(rest.metadata(), self.contract)
        with ExitStack() as stack:
            grpc = None
            if self.grpc and (address := server.grpc_address()):
                timeline.begin("grpc")
                grpc = stack.enter_context(self._grpc_model(address))
            timeline.begin("answers")
            probes = probe(rest, samples, tolerance=self.tolerance, grpc=grpc, report=report)
            timeline.begin("steady")
            say(report, "measuring latency")
            steady = steady_latencies(rest, samples)
            timeline.begin("refusals")
            check_refusals(rest, grpc, samples[0], report=report)
        return probes, steady

    def _grpc_model(self, address: str) -> AbstractContextManager[GrpcModel]:
        return grpc_model(address, model=self.model, version=self.version, timeout=self.timeout)


@contextmanager
def _told_if_ended(server: RunningServer) -> Iterator[None]:
    """Tell of a lost connection how the server ended, if it did."""
    try:
        yield
    except ConnectionLostError as error:
        if end := _ended(server):
            raise ended_while_asked(end, error) from error
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
