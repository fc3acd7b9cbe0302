"""The end of a smoke test: the server ends when it is asked to, and nothing of the run stays."""

from __future__ import annotations

from collections.abc import Sequence

from packager.errors import LeftoverError
from packager.smoketest.server import PATIENCE, RunningServer

_CLEAN = (0, 143)
"""Exit codes of a server that handles SIGTERM, and of one that SIGTERM ends by itself."""
_KILLED = 137


def check_end(server: RunningServer) -> None:
    """Send SIGTERM; raise LeftoverError where the server ends badly, or does not end in time."""
    end = server.stop(PATIENCE)
    if end.exit_code == _KILLED:
        raise LeftoverError(
            f"the server did not end within {PATIENCE:g} s of SIGTERM, and was killed",
            hint="packager build makes images that pass SIGTERM on to the server",
        )
    if end.exit_code not in _CLEAN:
        raise LeftoverError(f"the server ended badly at SIGTERM: {end}", hint="its log, below, may tell why")


def check_nothing_left(names: Sequence[str]) -> None:
    """Raise LeftoverError where ``names``, what is left of a run, are any."""
    if names:
        raise LeftoverError(
            f"the run left something behind: {', '.join(names)}", hint=f"docker rm --force {' '.join(names)}"
        )
