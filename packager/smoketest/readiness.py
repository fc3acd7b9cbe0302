"""Waits for a version to become AVAILABLE, and stops waiting as soon as it never will be."""

from __future__ import annotations

import time
from collections.abc import Callable

from packager.errors import NotReadyError, ServableLoadError, SmokeError
from packager.progress import Report, say, silent
from packager.smoketest.diagnosis import cannot_load, ended_early, load_failure
from packager.smoketest.logs import last_line
from packager.smoketest.rest import RestModel, VersionStatus
from packager.smoketest.server import RunningServer
from packager.smoketest.timeline import Timeline

POLL_INTERVAL = 0.1
UNKNOWN_PATIENCE = 5.0
"""Seconds for which a server that answers may not know the version.

TensorFlow Serving opens its port after the first load, so it knows what it serves from its first answer.
"""

Clock = Callable[[], float]


def wait_until_available(
    server: RunningServer,
    *,
    model: str,
    version: int,
    timeout: float,
    timeline: Timeline | None = None,
    report: Report = silent,
    clock: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> RestModel:
    """Poll until ``server`` reports ``version`` AVAILABLE, and return the way to ask it.

    Raises ServerStartError, PortTakenError or ServableLoadError as soon as one is certain, NotReadyError
    after ``timeout`` seconds. The clock is monotonic, so a time sync cannot end the wait. Two phases are
    told: ``listen`` until the port answers, ``load`` from there on.
    """
    timeline = timeline or Timeline()
    timeline.begin("listen")
    watch = _Watch(server, model=model, version=version, timeout=timeout, clock=clock, timeline=timeline)
    deadline = clock() + timeout
    told = ""
    while (available := watch.look()) is None:
        if watch.waiting_for != told:
            told = watch.waiting_for
            say(report, f"waiting for {told}")
        if clock() >= deadline:
            raise NotReadyError(
                f"not ready after {timeout:g} s: still waiting for {watch.waiting_for}",
                hint=f"allow more time: --timeout {2 * timeout:g}",
            )
        sleep(POLL_INTERVAL)
    return available


class _Watch:
    """Looks at a starting server again and again, and can tell what the wait is for."""

    def __init__(
        self,
        server: RunningServer,
        *,
        model: str,
        version: int,
        timeout: float,
        clock: Clock,
        timeline: Timeline,
    ) -> None:
        self.waiting_for = "the server to start"
        self._server = server
        self._model = model
        self._version = version
        self._timeout = timeout
        self._clock = clock
        self._timeline = timeline
        self._loading = False
        self._rest: RestModel | None = None
        self._unknown_since: float | None = None

    def look(self) -> RestModel | None:
        """Return the way to ask the version once it is AVAILABLE; raise where it never will be."""
        if end := self._server.exit():
            raise self._found(ended_early(end, self._server.logs(), model=self._model, version=self._version))
        rest = self._reach()
        status = rest.status() if rest else None
        if rest and status:
            self._begin_load()
            self._judge(status)
            return rest if status.state == "AVAILABLE" else None
        self._read_log("its REST port to open" if rest is None else "an answer at its REST port")
        return None

    def _begin_load(self) -> None:
        if not self._loading:
            self._loading = True
            self._timeline.begin("load")

    def _found(self, error: SmokeError) -> SmokeError:
        """Put ``error`` into the phase it belongs to: ports open only once a model has been loaded."""
        if isinstance(error, ServableLoadError):
            self._begin_load()
        return error

    def _reach(self) -> RestModel | None:
        if self._rest is None and (url := self._server.rest_url()):
            self._rest = RestModel(url, model=self._model, version=self._version, timeout=self._timeout)
        return self._rest

    def _read_log(self, what: str) -> None:
        log = self._server.logs()
        if reason := load_failure(log):
            raise self._found(cannot_load(reason, model=self._model, version=self._version))
        said = last_line(log)
        self.waiting_for = f"{what}; the server's last words: {said}" if said else what

    def _judge(self, status: VersionStatus) -> None:
        self.waiting_for = f"version {self._version} of {self._model!r}; the server says {status}"
        if status.state == "END" or (status.state and status.error):
            raise cannot_load(str(status), model=self._model, version=self._version)
        if status.http_status != 404:
            self._unknown_since = None
        elif self._unknown_since is None:
            self._unknown_since = self._clock()
        elif self._clock() - self._unknown_since >= UNKNOWN_PATIENCE:
            raise NotReadyError(
                f"the server runs and does not serve version {self._version} of {self._model!r}: {status}",
                hint="it serves the highest version only, under the name that $MODEL_NAME gives it",
            )
