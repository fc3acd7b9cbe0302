"""Measure the embedded server over REST and gRPC beside calls in a process of the same run, by turns.

The clients are wrk and h2load, one connection each with one request under way. In every round each way is
measured after the other, for some time, or where requests take long for some requests; what is told are
medians of the rounds. Beside the size of a JSON body is the time that ``orjson.loads`` takes for it, and how
many times that REST takes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path

import grpc
import orjson

from packager.protocol import message
from packager.values import percentile

HERE = Path(__file__).parent
PATIENCE = 120

WRK_SCRIPT = """
local file = io.open("{body}", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
function done(summary, latency, requests)
  local failed = summary.errors.status + summary.errors.timeout + summary.errors.read + summary.errors.connect
  io.write(string.format("RESULT %d %d %f %f %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), failed))
end
"""


@dataclass(frozen=True)
class Case:
    """A model and how many examples each request has."""

    model: str
    batch: int
    shape: tuple[int, ...]
    clients: tuple[int, ...] = (1, 8, 64)
    rounds: int = 99
    """At most."""
    least: int = 2
    """Requests of each client."""

    def __str__(self) -> str:
        return f"{self.model} x {self.batch}"


CASES = (
    Case("half_plus_two", 1, (1,)),
    Case("mlp", 1, (784,)),
    Case("mlp", 32, (784,)),
    Case("wide", 1, (224, 224, 3)),
    Case("resnet50", 1, (224, 224, 3), rounds=3),
    # Of 64 clients this would be 6 GB of JSON at once, of which the server takes one
    Case("resnet50", 32, (224, 224, 3), clients=(1, 8), rounds=2, least=1),
)


@dataclass(frozen=True)
class Figures:
    """What a number of requests took."""

    per_s: float
    p50_us: float
    p99_us: float


Measure = Callable[[int, float, int], Figures]
"""Asks with so many clients for so many seconds, or so many times each."""


@dataclass(frozen=True)
class Files:
    """The same request in the three ways to ask."""

    floats: Path
    json: Path
    grpc: Path
    shape: tuple[int, ...]


def write_request(case: Case, folder: Path) -> Files:
    shape = (case.batch, *case.shape)
    floats = array("f", (random.random() for _ in range(prod(shape))))
    files = Files(folder / "floats", folder / "json", folder / "grpc", shape)
    files.floats.write_bytes(floats.tobytes())
    files.json.write_bytes(orjson.dumps({"instances": nested(floats.tolist(), shape[1:])}))
    request = message("PredictRequest")()
    request.model_spec.name = case.model
    tensor = message("TensorProto")(dtype=1, tensor_content=floats.tobytes())
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    request.inputs["x"] = tensor.SerializeToString()
    files.grpc.write_bytes(request.SerializeToString())
    return files


def nested(values: list[float], shape: Sequence[int]) -> list[object]:
    rows: list[object] = list(values)
    for size in reversed(shape):
        rows = [rows[start : start + size] for start in range(0, len(rows), size)]
    return rows


@contextmanager
def in_process(version: Path, files: Files) -> Iterator[Measure]:
    command = [sys.executable, HERE / "bench_calls.py", version, json.dumps(files.shape), files.floats]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        if child.stdout.readline() != "ready\n":
            raise SystemExit(f"bench_calls.py failed on {version}")

        def measure(clients: int, seconds: float, requests: int) -> Figures:
            child.stdin.write(f"{clients} {seconds} {requests}\n")
            child.stdin.flush()
            began = time.perf_counter()
            took = json.loads(child.stdout.readline())
            return figures([1e6 * s for s in took], time.perf_counter() - began)

        try:
            yield measure
        finally:
            child.stdin.close()


def over_rest(url: str, body: Path) -> Measure:
    script = body.with_suffix(".lua")
    script.write_text(WRK_SCRIPT.format(body=body))

    def measure(clients: int, seconds: float, requests: int) -> Figures:
        if requests:
            return h2load(url, body, clients, [f"-n{clients * requests}", "--h1"])
        command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds:.0f}s", "--timeout", "60s", "-s", script, url]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        line = next(line for line in told.splitlines() if line.startswith("RESULT"))
        answered, duration_us, p50, p99, failed = map(float, line.split()[1:])
        if failed or not answered:
            raise SystemExit(f"{failed:.0f} requests failed, {answered:.0f} were answered: {told}")
        return Figures(answered / duration_us * 1e6, p50, p99)

    return measure


def over_grpc(address: str, request: Path) -> Measure:
    body = request.read_bytes()
    framed = request.with_suffix(".framed")
    framed.write_bytes(struct.pack(">BI", 0, len(body)) + body)
    url = f"http://{address}/tensorflow.serving.PredictionService/Predict"
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]

    def measure(clients: int, seconds: float, requests: int) -> Figures:
        length = [f"-n{clients * requests}"] if requests else [f"-D{seconds:.0f}"]
        return h2load(url, framed, clients, [*length, *headers])

    return measure


def h2load(url: str, body: Path, clients: int, options: Sequence[str]) -> Figures:
    log = body.with_suffix(".log")
    log.unlink(missing_ok=True)
    command = ["h2load", "-t1", f"-c{clients}", "-m1", "-d", body, *options, f"--log-file={log}", url]
    subprocess.run(command, capture_output=True, check=True)
    rows = [line.split() for line in log.read_text().splitlines()]
    if not rows or any(status != "200" for _, status, _ in rows):
        raise SystemExit(f"requests failed: {rows[:3]}")
    began = min(float(start) for start, _, _ in rows)
    ended = max(float(start) + float(took) for start, _, took in rows)
    return figures([float(took) for _, _, took in rows], (ended - began) / 1e6)


def figures(took_us: list[float], seconds: float) -> Figures:
    return Figures(len(took_us) / seconds, percentile(took_us, 50), percentile(took_us, 99))


@contextmanager
def server(models: Path, model: str) -> Iterator[tuple[str, str]]:
    """Serve ``model``, and give the addresses for REST and gRPC."""
    rest, rpc = free_port(), free_port()
    flags = {"model_name": model, "model_base_path": (models / model).resolve()}
    flags |= {"rest_api_port": rest, "port": rpc}
    flags |= {"rest_api_address": "127.0.0.1", "grpc_address": "127.0.0.1"}
    flags |= {"rest_api_timeout_in_ms": 1000 * PATIENCE}
    command = [sys.executable, "-m", "packager.serving", *(f"--{k}={v}" for k, v in flags.items())]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(rest, process)
            yield f"127.0.0.1:{rest}", f"127.0.0.1:{rpc}"
        finally:
            process.terminate()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the server did not get ready")


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def check_answers(rest: str, rpc: str, case: Case, files: Files) -> None:
    """Hold both ways to the same answer, before anything counts."""
    url = f"http://{rest}/v1/models/{case.model}:predict"
    with urllib.request.urlopen(url, files.json.read_bytes(), timeout=PATIENCE) as answer:
        predictions = json.load(answer)["predictions"]
    with grpc.insecure_channel(rpc, [("grpc.max_receive_message_length", -1)]) as channel:
        ask = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            response_deserializer=message("PredictResponse").FromString,
        )
        tensor = message("TensorProto").FromString(
            ask(files.grpc.read_bytes(), timeout=PATIENCE).outputs["y"]
        )
    flat = predictions
    while isinstance(flat[0], list):
        flat = [value for row in flat for value in row]
    if len(flat) != len(tensor.float_val) or any(
        abs(a - b) > 1e-4 for a, b in zip(flat, tensor.float_val, strict=True)
    ):
        raise SystemExit(f"{case}: REST and gRPC answer differently")


def loads_us(body: bytes) -> float:
    """Return how long ``orjson.loads`` takes, as a median."""
    took = []
    for _ in range(max(1, min(20, 50_000_000 // len(body)))):
        began = time.perf_counter()
        orjson.loads(body)
        took.append(1e6 * (time.perf_counter() - began))
    return statistics.median(took)


def compare(case: Case, models: Path, clients: Sequence[int], repeat: int, seconds: float) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-serving-")))
        files = write_request(case, folder)
        body = files.json.read_bytes()
        rest, rpc = stack.enter_context(server(models, case.model))
        check_answers(rest, rpc, case, files)
        ways = {
            "in process": stack.enter_context(in_process(models / case.model / "1", files)),
            "REST": over_rest(f"http://{rest}/v1/models/{case.model}:predict", files.json),
            "gRPC": over_grpc(rpc, files.grpc),
        }
        once = {name: measure(1, seconds, 1).p50_us / 1e6 for name, measure in ways.items()}
        for count in [count for count in case.clients if count in clients]:
            rounds: list[dict[str, Figures]] = []
            parsing = []
            for _ in range(min(repeat, case.rounds)):
                parsing.append(loads_us(body))
                rounds.append(
                    {
                        name: measure(count, seconds, requests_of_each(case, once[name], count, seconds))
                        for name, measure in ways.items()
                    }
                )
            for name in ways:
                print(row(case, count, name, rounds, len(body), statistics.median(parsing)), flush=True)


def requests_of_each(case: Case, once: float, clients: int, seconds: float) -> int:
    """Return how many requests each client sends; 0 where the time allows for many of each."""
    at_once = once * clients
    return 0 if at_once < seconds / 5 else max(case.least, round(3 * seconds / at_once))


def row(
    case: Case, clients: int, way: str, rounds: list[dict[str, Figures]], body: int, parsing: float
) -> str:
    def median(pick: Callable[[dict[str, Figures]], float]) -> float:
        return statistics.median(map(pick, rounds))

    rate = median(lambda r: r[way].per_s)
    share = median(lambda r: r[way].per_s / r["in process"].per_s)
    p50, p99 = median(lambda r: r[way].p50_us), median(lambda r: r[way].p99_us)
    over = median(lambda r: r[way].p50_us - r["in process"].p50_us)
    cells = [str(case), str(clients), way, f"{rate:,.0f}" if rate >= 100 else f"{rate:.2f}", f"{share:.2f}"]
    cells += [f"{p50:,.0f}", f"{p99:,.0f}", f"{over:+,.0f}"]
    if way == "REST":
        cells.append(f"{body:,} B, {parsing:,.0f} µs: x {p50 / parsing:.2f}")
    else:
        cells.append("")
    return f"| {' | '.join(cells)} |"


def make_models(models: Path, names: Sequence[str]) -> None:
    for name in names:
        if not (models / name / "1").is_dir():
            command = [sys.executable, str(HERE / "bench_models.py"), str(models), name]
            environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
            subprocess.run(command, check=True, stdout=sys.stderr, env=environment)


def main() -> None:
    names = list(dict.fromkeys(case.model for case in CASES))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=names, choices=names)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the models, to be used again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-models-") as work:
        models = (options.keep or Path(work)).resolve()
        make_models(models, options.models)
        print(f"{options.repeat} rounds of {options.seconds:g} s each, {os.cpu_count()} processors\n")
        print(
            "| model x batch | clients | way | requests/s | share | p50 µs | p99 µs | p50 over | JSON body |"
        )
        print("|---|--:|---|--:|--:|--:|--:|--:|---|", flush=True)
        for case in CASES:
            if case.model in options.models and case.batch in options.batch:
                compare(case, models, options.clients, options.repeat, options.seconds)


if __name__ == "__main__":
    main()
