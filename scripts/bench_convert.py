"""Measure ways from an ``.h5`` file to a SavedModel: wall and processor time, peak memory, medians of a run.

The floor is a process that imports TensorFlow and copies the file: less cannot be done. The ways take turns,
so that whatever else the machine does meets them all. ``packager convert`` does more than the others: it
hashes the file (which is measured alone, too), asks the source model and the SavedModel the same, and records
the answers. What each way wrote is loaded once through TensorFlow's C API, as a server does it. Printed is
the table of README.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

MODELS = {
    "mlp": ("keras", "tf_keras"),
    "resnet50": ("keras", "tf_keras"),
    "transformer": ("keras",),
    "layers300": ("keras",),
    "wide": ("keras",),
}

FLOOR = "import sys, shutil, tensorflow; shutil.copyfile(sys.argv[1], sys.argv[2])"
DIGEST = """
import hashlib, sys
digest = hashlib.sha256()
with open(sys.argv[1], "rb") as file:
    while chunk := file.read(1 << 20):
        digest.update(chunk)
"""
LOAD_AND_EXPORT = """
import importlib, sys
library, source, target = sys.argv[1:]
importlib.import_module(library).models.load_model(source, compile=False).export(target)
"""
LOAD_AND_SAVE = """
import sys, tensorflow, tf_keras
tensorflow.saved_model.save(tf_keras.models.load_model(sys.argv[2], compile=False), sys.argv[3])
"""

LOAD = """
import sys, time
from pathlib import Path
from packager.serving.native.library import c_api
from packager.serving.native.session import Session
c_api()
began = time.monotonic()
Session(Path(sys.argv[1]), tags=["serve"])
print(time.monotonic() - began)
"""

ENVIRONMENT = {
    **os.environ,
    "KERAS_BACKEND": "tensorflow",
    "CUDA_VISIBLE_DEVICES": "",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONDONTWRITEBYTECODE": "",  # what pip installs is compiled, all but the first run of ours is too
}


@dataclass(frozen=True)
class Cost:
    """What one run of a way took, the bytes that it wrote, and the seconds until those were loaded."""

    seconds: float
    user: float
    system: float
    memory: float
    graph: int
    data: int
    load: float


def ways(library: str, source: Path, target: Path) -> dict[str, list[str]]:
    """Return the commands, the floor first and the ordinary way second."""
    python = [sys.executable, "-c"]
    arguments = [library, str(source), str(target)]
    packager = [sys.executable, "-m", "packager", "convert", str(source), "--name", "m", "--quiet"]
    commands = {
        "floor": [*python, FLOOR, str(source), str(target)],
        f"{library}: load_model + export": [*python, LOAD_AND_EXPORT, *arguments],
    }
    if library == "tf_keras":
        commands["tf_keras: load_model + saved_model.save"] = [*python, LOAD_AND_SAVE, *arguments]
    commands["the digest of the file alone"] = [*python, DIGEST, str(source)]
    return {**commands, f"**packager convert** ({library})": [*packager, "--output", str(target)]}


def measured(command: list[str], target: Path) -> Cost:
    """Run ``command``, load what it wrote at ``target``, and remove that."""
    began = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    if process.returncode:
        raise SystemExit(f"failed with {process.returncode}: {' '.join(command)[:300]}")
    graphs = list(target.rglob("saved_model.pb"))
    cost = Cost(
        seconds=seconds,
        user=usage.ru_utime,
        system=usage.ru_stime,
        memory=usage.ru_maxrss / 1024,  # of the process that took most
        graph=sum(file.stat().st_size for file in graphs),
        data=sum(file.stat().st_size for file in target.rglob("variables.data*")),
        load=load_seconds(graphs[0].parent) if graphs else 0.0,
    )
    if target.is_dir():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)
    return cost


def load_seconds(folder: Path) -> float:
    """Load a SavedModel in a process of its own, and return how long that took."""
    command = [sys.executable, "-c", LOAD, str(folder)]
    done = subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    return float(done.stdout)


def compare(name: str, library: str, folder: Path, rounds: int) -> None:
    """Measure one model in all ways, and print a row for each."""
    source, target = folder / f"{name}-{library}.h5", folder / "out"
    if not source.exists():
        script = Path(__file__).with_name("bench_sources.py")
        subprocess.run([sys.executable, script, name, library, source], env=ENVIRONMENT, check=True)
    commands = ways(library, source, target)
    costs = [{way: measured(command, target) for way, command in commands.items()} for _ in range(rounds)]
    medians = {
        way: {field: statistics.median(getattr(cost[way], field) for cost in costs) for field in FIELDS}
        for way in commands
    }
    floor, naive, *_ = medians.values()
    size = source.stat().st_size
    title = f"{name}, {size / 1e6:,.0f} MB" if size > 1e6 else f"{name}, {size / 1e3:.0f} kB"
    for way, cost in medians.items():
        row = [title, way, f"{cost['seconds']:.1f}", f"{cost['seconds'] / floor['seconds']:.2f}"]
        row += [f"{cost['seconds'] / naive['seconds']:.2f}"]
        row += [f"{cost['user']:.1f} + {cost['system']:.1f}", f"{cost['user'] / naive['user']:.2f}"]
        row += [f"{_cpu(cost) / _cpu(naive):.2f}", f"{cost['memory']:,.0f}"]
        if cost["graph"]:
            row += [f"{cost['graph'] / 1e6:.2f} + {cost['data'] / 1e6:,.0f} MB", f"{cost['load']:.2f}"]
        else:
            row += ["", ""]
        print(f"| {' | '.join(row)} |", flush=True)
        title = ""


def _cpu(cost: dict[str, float]) -> float:
    return cost["user"] + cost["system"]


FIELDS = ("seconds", "user", "system", "memory", "graph", "data", "load")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--rounds", type=int, default=3, help="runs of each way")
    parser.add_argument(
        "--folder", type=Path, help="keep the models' files here, and take those that are there"
    )
    options = parser.parse_args()
    print(
        "| model | way | seconds | of the floor | of load + export | cpu seconds, user + system "
        "| user of load + export | cpu of load + export | peak MiB | graph + weights written "
        "| seconds to load |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-convert-") as work:
        folder = options.folder or Path(work)
        folder.mkdir(parents=True, exist_ok=True)
        for name in options.models:
            for library in MODELS[name]:
                compare(name, library, folder, options.rounds)


if __name__ == "__main__":
    main()
