"""Run many smoke tests of one image, several at a time, and count what they leave behind.

Of each ten, one is interrupted by Ctrl-C and one by SIGTERM at a random moment, and one has a budget that no
server can keep; the others have to go well. Temporary files are counted in a folder that these runs have to
themselves, containers by their image, networks and ports by what was seen of those containers.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import docker

from packager.smoketest.smoke import RUN_LABEL

PACKAGER = (sys.executable, "-m", "packager")
MAKE_MODEL = """
import sys, keras
keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3, name="y")]).save(sys.argv[1])
"""
SIGNALS = {3: signal.SIGINT, 6: signal.SIGTERM}
OVER_BUDGET = 9
RIGHT, TOO_SLOW = 0, 38


@dataclass
class Seen:
    """What was seen of the containers while they ran."""

    runs: set[str] = field(default_factory=set)
    ports: set[int] = field(default_factory=set)


@contextmanager
def watching(client: docker.DockerClient, image: str) -> Iterator[Seen]:
    """Note the runs and published ports of all containers of ``image``."""
    seen, over = Seen(), threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            with suppress(docker.errors.NotFound):  # one that vanished while it was looked at
                for container in client.containers.list(all=True, filters={"ancestor": image}):
                    seen.runs.add(container.labels[RUN_LABEL])
                    published = filter(None, container.ports.values())
                    seen.ports |= {int(port["HostPort"]) for ports in published for port in ports}

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def build(folder: Path) -> str:
    """Make a small model, and an image of it on the embedded base."""
    model, tag = folder / "m.h5", f"packager-soak/m:{secrets.token_hex(4)}"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(
        [sys.executable, "-c", MAKE_MODEL, model], check=True, env=environment, stderr=subprocess.DEVNULL
    )
    models = folder / "models"
    for command in (
        ("convert", model, "--name", "m", "-o", models, "-q"),
        ("build", models / "m", "--tag", tag, "--base", "embedded", "--engine", "docker", "-q"),
    ):
        subprocess.run([*PACKAGER, *command], check=True, env=environment)
    return tag


def smoke(number: int, image: str, scratch: Path) -> str:
    """Run one smoke test, and return how it ended."""
    kind = number % 10
    limit = ["--max-cold-start", "0.001"] if kind == OVER_BUDGET else []
    environment = {**os.environ, "TMPDIR": str(scratch)}
    began = time.monotonic()
    with subprocess.Popen(
        [*PACKAGER, "smoke", image, "-q", *limit],
        env=environment,
        cwd=scratch,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        if kind in SIGNALS:
            with suppress(subprocess.TimeoutExpired):
                process.wait(random.uniform(0.5, 8))
            process.send_signal(SIGNALS[kind])
        _, said = process.communicate(timeout=300)
    code = process.returncode
    wanted = {TOO_SLOW} if kind == OVER_BUDGET else {RIGHT}
    if kind in SIGNALS:
        # -n: a signal that arrived before packager, still being imported, could handle it
        wanted |= {128 + SIGNALS[kind], -SIGNALS[kind]}
    if code not in wanted:
        print(f"smoke {number}: exit code {code} after {time.monotonic() - began:.0f} s\n{said}", flush=True)
        return f"unexpected exit code {code}"
    return f"exit code {code}"


def listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--first", type=int, default=0, help="number of the first, to run them in parts")
    parser.add_argument("--image", help="an image to test, in place of one that is built and removed again")
    options = parser.parse_args()
    client = docker.from_env()
    with tempfile.TemporaryDirectory(prefix="soak-smoke-") as work:
        scratch = Path(work) / "scratch"
        scratch.mkdir()
        image = options.image or build(Path(work))
        began = time.monotonic()
        try:
            with watching(client, image) as seen, ThreadPoolExecutor(options.parallel) as pool:
                numbers = range(options.first, options.first + options.count)
                ends = Counter(pool.map(lambda number: smoke(number, image, scratch), numbers))
            left = left_over(client, image, seen, scratch)
        finally:
            if not options.image:
                client.images.remove(image, force=True)
    print(f"{options.count} smoke tests, {options.parallel} at a time, in {time.monotonic() - began:.0f} s")
    for end, count in sorted(ends.items()):
        print(f"  {count:4} {end}")
    print(f"seen: {len(seen.runs)} containers, {len(seen.ports)} published ports")
    for what, names in left.items():
        print(f"left over: {len(names)} {what}{': ' if names else ''}{', '.join(names)}")
    return 1 if any(left.values()) or any(end.startswith("unexpected") for end in ends) else 0


def left_over(client: docker.DockerClient, image: str, seen: Seen, scratch: Path) -> dict[str, list[str]]:
    networks = [
        n for n in client.networks.list() if (n.attrs.get("Labels") or {}).get(RUN_LABEL) in seen.runs
    ]
    containers = client.containers.list(all=True, filters={"ancestor": image})
    return {
        "containers": [container.name for container in containers],
        "networks": [network.name for network in networks],
        "ports": [str(port) for port in sorted(seen.ports) if listening(port)],
        "files": [str(path.relative_to(scratch)) for path in scratch.rglob("*")],
    }


if __name__ == "__main__":
    sys.exit(main())
