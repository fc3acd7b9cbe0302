"""Switches a model from version to version under load, and measures what the server keeps of it.

Each version is a folder of its own with the weights of the first. A new one is put in place, the server is
told to look, and the old one is taken away once the new one is available. Clients ask all the while, over
REST and gRPC. An answer that is missing or wrong ends the run with an error, and so does memory that grows.
Beside it: what TensorFlow's C API alone keeps of as many loads.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
TESTS = REPOSITORY / "tests" / "serving"
sys.path[:0] = [str(TESTS), str(REPOSITORY)]

import grpc  # noqa: E402
from embedded_server import EmbeddedServer, serving  # noqa: E402

from packager.protocol import message, methods  # noqa: E402
from packager.protocol.services import MODEL, PREDICTION  # noqa: E402

MAKE = """
import sys
from pathlib import Path
import small_models
from small_models import save, signature, tf, v1

def ballast():
    weights = v1.get_variable("weights", [int(sys.argv[2]), 1 << 18], initializer=v1.ones_initializer())
    x = v1.placeholder(tf.float32, [None, 1], name="x")
    return {"serving_default": signature({"x": x}, {"y": tf.add(x, weights[0, 0], name="y")})}

save(Path(sys.argv[1]), ballast)
"""
WARM = 0.25
"""The part of the switches after which memory has settled."""


class Clients:
    """Ask for predictions until they are told to end, and count answers."""

    def __init__(self, server: EmbeddedServer, count: int) -> None:
        self.answers = 0
        self.wrong: list[str] = []
        self._server = server
        self._over = threading.Event()
        asks = (self._ask_rest, self._ask_grpc)
        self._threads = [threading.Thread(target=asks[index % 2]) for index in range(count)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _note(self, right: bool, shown: object) -> None:
        if right:
            self.answers += 1
        else:
            self.wrong.append(repr(shown))

    def _ask_rest(self) -> None:
        while not self._over.is_set():
            answer = self._server.predict("m", '{"instances": [[2.0]]}')
            self._note(answer.status == 200 and json.loads(answer.body) == {"predictions": [[3.0]]}, answer)

    def _ask_grpc(self) -> None:
        tensor = message("TensorProto")(dtype=1, float_val=[2.0])
        for size in (1, 1):
            tensor.tensor_shape.dim.add(size=size)
        request = message("PredictRequest")(inputs={"x": tensor.SerializeToString()})
        request.model_spec.name = "m"
        method = dict(methods(PREDICTION))["Predict"]
        with grpc.insecure_channel(f"127.0.0.1:{self._server.grpc_port}") as channel:
            ask = channel.unary_unary(method.path, **method.codecs)
            while not self._over.is_set():
                try:
                    given = message("TensorProto").FromString(ask(request, timeout=60).outputs["y"])
                    self._note(list(given.float_val) == [3.0], given)
                except grpc.RpcError as error:
                    self._note(False, error)


def resident_megabytes(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def own_kilobytes(pid: int) -> int:
    """Return what the process has of memory that is no file's."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def counts(pid: int) -> tuple[int, int]:
    """Return how many threads and how many open files the process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir())), len(list(Path(f"/proc/{pid}/fd").iterdir()))


def look(channel: Any, base: Path) -> None:
    """Have the server look for versions now, not when it next would."""
    request = message("ReloadConfigRequest")()
    request.config.model_config_list.config.add(name="m", base_path=str(base), model_platform="tensorflow")
    method = dict(methods(MODEL))["HandleReloadConfigRequest"]
    channel.unary_unary(method.path, **method.codecs)(request, timeout=60)


def switch(server: EmbeddedServer, channel: Any, base: Path, number: int) -> None:
    shutil.copytree(base / str(number - 1), base.parent / "new", copy_function=shutil.copy)
    (base.parent / "new").rename(base / str(number))
    look(channel, base)
    server.wait_for_state("m", number, "AVAILABLE")
    server.wait_for_state("m", number - 1, "END")
    shutil.rmtree(base / str(number - 1))


def measure(switches: int, megabytes: int, clients: int, every: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        base = Path(name) / "m"
        subprocess.run(
            [sys.executable, "-c", MAKE, base / "1", str(megabytes)],
            check=True,
            cwd=TESTS,
            capture_output=True,
        )
        with (
            serving(model_name="m", model_base_path=base) as server,
            grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel,
        ):
            server.wait_until_ready()
            pid = server.process.pid
            asking = Clients(server, clients)
            began, measured = time.monotonic(), []
            settled = 0
            try:
                for done in range(1, switches + 1):
                    switch(server, channel, base, done + 1)
                    if asking.wrong:
                        break
                    measured.append(resident_megabytes(pid))
                    if done == switches // 2:
                        settled = own_kilobytes(pid)
                    if done % every == 0 or done == 1:
                        threads, files = counts(pid)
                        print(
                            f"{done:5} switches {time.monotonic() - began:6.1f} s {measured[-1]:7.1f} MB "
                            f"{threads:4} threads {files:4} files {asking.answers:8} answers",
                            flush=True,
                        )
            finally:
                asking.end()
            report(measured, asking, megabytes)
            kept = (own_kilobytes(pid) - settled) / (switches - switches // 2)
            print(f"a switch of the second half: {kept:.1f} kB of memory of its own")
            print(f"a load by the C API alone, from one folder and from new ones: {bare(base, switches)} kB")
            if server.end() != 0:
                sys.exit("the server did not end well")


def bare(base: Path, loads: int) -> str:
    """Return what a process without a server keeps of each load of the version that is left."""
    command = [sys.executable, Path(__file__).with_name("load_versions.py"), next(base.iterdir()), str(loads)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY)
    return told.stdout.strip().replace(" ", ", ")


def report(measured: list[float], asking: Clients, megabytes: int) -> None:
    if asking.wrong:
        sys.exit(f"an answer was missing or wrong: {asking.wrong[0]}")
    settled = measured[int(len(measured) * WARM) :]
    third = max(len(settled) // 3, 1)
    early, late = max(settled[:third]), max(settled[-third:])
    print(f"{asking.answers} answers, all right; most memory early {early:.1f} MB, late {late:.1f} MB")
    if late > early + max(megabytes, 4):
        sys.exit("memory grows")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--switches", type=int, default=200)
    parser.add_argument("--megabytes", type=int, default=8, help="size of the model")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--every", type=int, default=20, help="switches between two lines")
    arguments = parser.parse_args()
    measure(arguments.switches, arguments.megabytes, arguments.clients, arguments.every)


if __name__ == "__main__":
    main()
