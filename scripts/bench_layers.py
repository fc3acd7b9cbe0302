"""Measure the HTTP layer of the embedded server beside well-kept ones, by turns.

All answer the same small JSON, each from one process with one event loop. ``CPU`` is the processor time of a
request, of the whole server: it tells them apart on a busy machine too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench_serving import Figures, free_port, over_rest, wait_for
from http_layers import LAYERS

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parent / ".venv-layers"
NEEDS = ("uvicorn", "granian", "aiohttp", "hypercorn", "h11", "httptools", "uvloop", "orjson")
BODY, ANSWER = b'{"instances":[[0.5]]}', b'{"predictions":[[2.25]]}'


@dataclass(frozen=True)
class Round:
    figures: Figures
    cpu_us: float


def install() -> None:
    if not (ENVIRONMENT / "bin" / "granian").exists():
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run([ENVIRONMENT / "bin" / "pip", "install", "--quiet", *NEEDS], check=True)


@contextmanager
def layer(name: str) -> Iterator[tuple[str, int]]:
    """Serve by one layer, and give its URL and its process."""
    port = free_port()
    python = sys.executable if name == "own" else ENVIRONMENT / "bin" / "python"
    with subprocess.Popen([python, "http_layers.py", name, str(port)], cwd=HERE) as process:
        try:
            wait_for(port, process)
            url = f"http://127.0.0.1:{port}/v1/models/half_plus_two:predict"
            with urllib.request.urlopen(url, BODY, timeout=10) as answer:
                if (given := answer.read()) != ANSWER:
                    raise SystemExit(f"{name} answers {given!r}")
            yield url, process.pid
        finally:
            process.terminate()


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and of those that it has started."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [child for task in tasks for child in (task / "children").read_text().split()]
    return own + sum(cpu_seconds(int(child)) for child in children)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", nargs="+", default=[*LAYERS], choices=[*LAYERS])
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    install()
    rounds: dict[str, list[Round]] = {name: [] for name in options.layers}
    with ExitStack() as stack:
        body = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "json"
        body.write_bytes(BODY)
        served = {name: stack.enter_context(layer(name)) for name in options.layers}
        for _ in range(options.repeat):
            for name, (url, pid) in served.items():
                before = cpu_seconds(pid)
                figures = over_rest(url, body)(options.clients, options.seconds, 0)
                spent = cpu_seconds(pid) - before
                rounds[name].append(Round(figures, 1e6 * spent / (figures.per_s * options.seconds)))
    print(f"{options.repeat} rounds of {options.seconds:g} s each, {options.clients} clients\n")
    print("| HTTP layer | requests/s | p50 µs | p99 µs | CPU µs |\n|---|--:|--:|--:|--:|")
    for name, seen in rounds.items():
        figures = [found.figures for found in seen]
        cells = [statistics.median(f.per_s for f in figures), statistics.median(f.p50_us for f in figures)]
        cells += [statistics.median(f.p99_us for f in figures), statistics.median(r.cpu_us for r in seen)]
        print(f"| {name} | {' | '.join(f'{cell:,.0f}' for cell in cells)} |")


if __name__ == "__main__":
    main()
