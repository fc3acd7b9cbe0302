"""Measure ways to build and push an image of a model: wall time and memory of the client, medians of one run.

Weights are random bytes, anew for each run, so that nothing is cached or compressed away, in files of the
size that ``packager convert`` writes. The registry is
one of its own on this machine's loopback, the base an image of one small layer.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import secrets
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packager.engine import Engine, connect
from packager.image.archive import docker_archive
from packager.image.blobs import BlobStore
from packager.image.embedded.runtime import host_platform
from packager.image.image import Image, Layer, document
from packager.image.tarball import Entry, tar_stream
from packager.protocol.pool import message
from packager.savedmodel.bundle import SHARD
from packager.values import ImageReference

SDK = """
import sys, docker
folder, base, tag, push = sys.argv[1:]
client = docker.from_env(timeout=600)
client.images.build(path=folder, tag=tag, buildargs={"BASE": base, "SERVING_MODEL": "bench"}, rm=True)
if push == "push":
    for event in client.images.push(tag, stream=True, decode=True):
        assert "error" not in event, event
"""

MEGABYTE = 1_000_000

CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: "{root}"}}}}
http: {{addr: "{address}"}}
"""


@dataclass(frozen=True)
class Bench:
    """What a way of building gets: a docker context with the model in it, a base, and a tag of its own."""

    context: Path
    base: str
    tag: str

    @property
    def model(self) -> str:
        return str(self.context / "models" / "bench")


Way = Callable[[Bench], list[list[str]]]


def packager(bench: Bench, *options: str) -> list[str]:
    build = ["build", bench.model, "--tag", bench.tag, "--base", bench.base, "--quiet"]
    return [sys.executable, "-m", "packager", *build, *options]


def docker_command(bench: Bench) -> list[str]:
    arguments = ["--build-arg", f"BASE={bench.base}", "--build-arg", "SERVING_MODEL=bench"]
    return ["docker", "build", "-q", *arguments, "-t", bench.tag, str(bench.context)]


def sdk(bench: Bench, push: str) -> list[str]:
    return [sys.executable, "-c", SDK, str(bench.context), bench.base, bench.tag, push]


@dataclass(frozen=True)
class Measured:
    """One way, and the way that it is compared with."""

    way: Way
    against: str | None = None


DOCKER_BUILD, SDK_BUILD = "into the engine: docker build", "into the engine: SDK images.build"
DOCKER_PUSH = "into a registry: docker build + docker push"

WAYS: dict[str, Measured] = {
    DOCKER_BUILD: Measured(lambda b: [docker_command(b)]),
    SDK_BUILD: Measured(lambda b: [sdk(b, "")]),
    "into the engine: packager build": Measured(lambda b: [packager(b, "--engine", "docker")], SDK_BUILD),
    DOCKER_PUSH: Measured(lambda b: [docker_command(b), ["docker", "push", "-q", b.tag]]),
    "into a registry: packager build --engine docker --push": Measured(
        lambda b: [packager(b, "--engine", "docker", "--push")], DOCKER_PUSH
    ),
    "into a registry: packager build --engine none --push": Measured(
        lambda b: [packager(b, "--engine", "none", "--push")], DOCKER_PUSH
    ),
}


def measured(commands: list[list[str]]) -> tuple[float, float]:
    """Run the commands; return seconds in all, and the most megabytes that one of them had."""
    began, most = time.monotonic(), 0.0
    for command in commands:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            ended = os.pidfd_open(process.pid)
            while not select.select([ended], [], [], 0.01)[0]:
                most = max(most, peak(process.pid))
            os.close(ended)
        if process.returncode:
            raise SystemExit(f"failed with {process.returncode}: {' '.join(command[:8])}")
    return time.monotonic() - began, most


def peak(pid: int) -> float:
    """Return the most megabytes that a process has had; what ``wait4`` tells counts its parent's as well."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has just ended
        return 0.0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1000 if found else 0.0


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Run a registry, and give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "registry.yml"
    config.write_text(CONFIG.format(root=folder / "registry", address=address))
    with subprocess.Popen(["docker-registry", "serve", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            time.sleep(1)
            yield address
        finally:
            process.terminate()


def load_base(engine: Engine, folder: Path, reference: ImageReference) -> None:
    blobs = BlobStore(folder / "base")
    layer = Layer.uncompressed(
        blobs.add(tar_stream([Entry(path="base", content=secrets.token_bytes(1 << 20))]))
    )
    operating_system, architecture = host_platform().split("/")
    config = {
        "os": operating_system,
        "architecture": architecture,
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
    }
    engine.load(docker_archive(Image(config_document=document(config), layers=(layer,)), blobs, reference))
    engine.push(reference)


def write_model(context: Path, megabytes: int) -> None:
    version = context / "models" / "bench" / "1"
    (version / "variables").mkdir(parents=True, exist_ok=True)
    (version / "saved_model.pb").write_bytes(graph())
    for old in (version / "variables").iterdir():
        old.unlink()
    left, sizes = megabytes * MEGABYTE, []
    while left:
        sizes.append(min(left, SHARD))
        left -= sizes[-1]
    for number, size in enumerate(sizes):
        name = f"variables.data-{number:05}-of-{len(sizes):05}"
        with (version / "variables" / name).open("wb") as file:
            while rest := size - file.tell():
                file.write(secrets.token_bytes(min(rest, MEGABYTE)))


def graph() -> bytes:
    """Return a graph of one operation."""
    model = message("SavedModel")()
    meta = model.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    meta.graph_def.node.add(name="x", op="Placeholder")
    content: bytes = model.SerializeToString()
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--lock", type=Path, help="a file to hold locked during each round")
    options = parser.parse_args()
    engine = connect()
    with tempfile.TemporaryDirectory(prefix="bench-image-") as work, registry(Path(work)) as address:
        folder = Path(work)
        os.environ["PACKAGER_CACHE"] = str(folder / "cache")
        base = ImageReference.parse(f"{address}/bench/base:1")
        load_base(engine, folder, base)
        context = folder / "context"
        context.mkdir()
        shutil.copy("Dockerfile.serving", context / "Dockerfile")
        try:
            for megabytes in options.megabytes:
                compare(engine, context, base, address, megabytes, options.repeat, options.lock)
        finally:
            engine.remove_image(str(base))


def compare(
    engine: Engine,
    context: Path,
    base: ImageReference,
    address: str,
    megabytes: int,
    repeat: int,
    lock: Path | None,
) -> None:
    """Measure the ways in turn, ``repeat`` times, so that a busy minute of the machine hits all of them."""
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    for _ in range(repeat):
        with alone(lock):
            for name, compared in WAYS.items():
                write_model(context, megabytes)
                bench = Bench(context, str(base), f"{address}/bench/{secrets.token_hex(4)}:1")
                try:
                    results[name].append(measured(compared.way(bench)))
                finally:
                    engine.remove_image(bench.tag)
                print(f"{name}: {results[name][-1][0]:.1f} s", file=sys.stderr, flush=True)
    medians = {
        name: [statistics.median(column) for column in zip(*found, strict=True)]
        for name, found in results.items()
    }
    print(f"\n| {megabytes} MB of weights, median of {repeat} | seconds | ratio | client memory |")
    print("|---|---|---|---|")
    for name, (seconds, memory) in medians.items():
        against = WAYS[name].against
        ratio = f"{seconds / medians[against][0]:.2f}" if against else ""
        print(f"| {name} | {seconds:.1f} | {ratio} | {memory:.0f} MB |", flush=True)


@contextmanager
def alone(lock: Path | None) -> Iterator[None]:
    """Wait for others on this machine who hold the same lock while they measure."""
    if lock is None:
        yield
        return
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    main()
