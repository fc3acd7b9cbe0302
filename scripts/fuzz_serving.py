"""Sends nonsense of every kind to the embedded server, over REST and gRPC, and watches it go on answering.

Only on this machine's loopback, bounded in requests and seconds, and repeatable by its seed. Between the
nonsense every client asks a question of its own, whose answer nobody else has: it must come back, and be
right. A server that ends, logs a traceback, grows beyond a limit, or leaves a client without an answer fails
the run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
TESTS = REPOSITORY / "tests" / "serving"
sys.path[:0] = [str(TESTS), str(REPOSITORY)]

from embedded_server import EmbeddedServer, config_file, serving  # noqa: E402
from fuzzing.calls import GrpcCalls  # noqa: E402
from fuzzing.requests import RestCalls  # noqa: E402

MODELS = ("affine", "echo_string", "echo_int64", "echo_float32", "pair", "shapes", "matrix")
MAX_MEGABYTES = 250
EVERY = 25
"""Nonsensical requests between two questions whose answer is known."""


class Kind(NamedTuple):
    name: str
    share: float
    """Of all requests."""
    sender: Callable[[EmbeddedServer, Random], Callable[[], str]]


KINDS = (
    Kind("REST, structured", 0.35, lambda server, random: RestCalls(server, random).structured),
    Kind("REST, raw bytes", 0.20, lambda server, random: RestCalls(server, random).raw),
    Kind("gRPC, structured", 0.25, lambda server, random: GrpcCalls(server, random).structured),
    Kind("gRPC, raw messages", 0.15, lambda server, random: GrpcCalls(server, random).raw_message),
    Kind("gRPC port, raw bytes", 0.05, lambda server, random: GrpcCalls(server, random).raw_bytes),
)


class Run:
    """One run of the clients, all at once, until they have sent everything or their time is up."""

    def __init__(self, server: EmbeddedServer, *, seconds: float) -> None:
        self.server = server
        self.until = time.monotonic() + seconds
        self.outcomes = {kind.name: Counter[str]() for kind in KINDS}
        self.right = 0
        self.problems: list[str] = []

    def client(self, kind: Kind, count: int, seed: str) -> None:
        """Send requests of one kind."""
        random = Random(seed)
        send = kind.sender(self.server, random)
        rest = RestCalls(self.server, random)
        for number in range(count):
            if time.monotonic() > self.until or self.problems:
                return
            try:
                self.outcomes[kind.name][send()] += 1
                if number % EVERY == 0:
                    rest.check_own_answer()
                    self.right += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told, with how to do it again
                self.problems.append(f"{kind.name}, seed {seed}, request {number}: {error!r}")

    def go(self, requests: int, seed: int) -> None:
        threads = [
            threading.Thread(target=self.client, args=(kind, round(requests * kind.share), f"{seed}.{index}"))
            for index, kind in enumerate(KINDS)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.2)
            if self.server.process.poll() is not None:
                self.problems.append(f"the server ended with {self.server.process.poll()}")
            elif (megabytes := resident_megabytes(self.server)) > MAX_MEGABYTES:
                self.problems.append(f"the server holds {megabytes:.0f} MB")


def resident_megabytes(server: EmbeddedServer) -> float:
    try:
        return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * 4096 / 2**20
    except (OSError, IndexError):  # it has ended, which is seen elsewhere
        return 0.0


def fuzz(requests: int, seconds: float, seed: int) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(
            [sys.executable, TESTS / "small_models.py", folder / "models"], check=True, capture_output=True
        )
        models = [f'name: "{model}" base_path: "{folder / "models" / model}"' for model in MODELS]
        with serving(model_config_file=config_file(folder / "models.conf", *models)) as server:
            server.wait_until_ready()
            run = Run(server, seconds=seconds)
            began = time.monotonic()
            run.go(requests, seed)
            return report(run, time.monotonic() - began)


def report(run: Run, seconds: float) -> int:
    for name, outcomes in run.outcomes.items():
        print(f"{name:<22} {sum(outcomes.values()):7}  {dict(outcomes.most_common())}")
    total = sum(sum(outcomes.values()) for outcomes in run.outcomes.values())
    megabytes = resident_megabytes(run.server)
    log = run.server.log()
    if not run.problems and run.server.end() != 0:
        run.problems.append("the server did not end well")
    if "Traceback" in log:
        run.problems.append(f"the server logged a traceback: {log[log.index('Traceback') :][:2000]}")
    print(
        f"{total} requests in {seconds:.0f} s, {run.right} answers of one's own between them, "
        f"{megabytes:.0f} MB at the end, {len(log)} bytes of log"
    )
    for problem in run.problems:
        print(f"PROBLEM: {problem}", file=sys.stderr)
    return 1 if run.problems else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=900.0, help="stop after so long")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    sys.exit(fuzz(arguments.requests, arguments.seconds, arguments.seed))


if __name__ == "__main__":
    main()
