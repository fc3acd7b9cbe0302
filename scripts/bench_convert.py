"""Measure ways from an ``.h5`` file to a SavedModel: wall and processor time, peak memory, medians of a run.

The floor is a process that imports TensorFlow and copies the file: less cannot be done. The ways take turns,
so that whatever else the machine does meets them all. ``packager convert`` does more than the others: it
hashes the file, asks the source model and the SavedModel the same, and records the answers.
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
LOAD_AND_EXPORT = """
import importlib, sys
library, source, target = sys.argv[1:]
importlib.import_module(library).models.load_model(source, compile=False).export(target)
"""
LOAD_AND_SAVE = """
import sys, tensorflow, tf_keras
tensorflow.saved_model.save(tf_keras.models.load_model(sys.argv[2], compile=False), sys.argv[3])
"""

ENVIRONMENT = {
    **os.environ,
    "KERAS_BACKEND": "tensorflow",
    "CUDA_VISIBLE_DEVICES": "",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


@dataclass(frozen=True)
class Cost:
    """What one run of a way took, and the bytes that it wrote."""

    seconds: float
    user: float
    memory: float
    graph: int
    data: int


def ways(library: str, source: Path, target: Path) -> dict[str, list[str]]:
    """Return the commands, the floor first."""
    python = [sys.executable, "-c"]
    arguments = [library, str(source), str(target)]
    packager = [sys.executable, "-m", "packager", "convert", str(source), "--name", "m", "--quiet"]
    commands = {
        "floor: import tensorflow + copy": [*python, FLOOR, str(source), str(target)],
        f"{library}: load_model + export": [*python, LOAD_AND_EXPORT, *arguments],
    }
    if library == "tf_keras":
        commands["tf_keras: load_model + saved_model.save"] = [*python, LOAD_AND_SAVE, *arguments]
    return {**commands, "packager convert": [*packager, "--output", str(target)]}


def measured(command: list[str], target: Path) -> Cost:
    """Run ``command``, and remove what it wrote at ``target``."""
    began = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    if process.returncode:
        raise SystemExit(f"failed with {process.returncode}: {' '.join(command)[:300]}")
    cost = Cost(
        seconds=seconds,
        user=usage.ru_utime + usage.ru_stime,
        memory=usage.ru_maxrss / 1024,
        graph=sum(file.stat().st_size for file in target.rglob("saved_model.pb")),
        data=sum(file.stat().st_size for file in target.rglob("variables.data*")),
    )
    if target.is_dir():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)
    return cost


def compare(name: str, library: str, folder: Path, repeat: int) -> None:
    """Measure one model in all ways, and print a row for each."""
    source, target = folder / f"{name}-{library}.h5", folder / "out"
    if not source.exists():
        script = Path(__file__).with_name("bench_models.py")
        subprocess.run([sys.executable, script, name, library, source], env=ENVIRONMENT, check=True)
    commands = ways(library, source, target)
    rounds = [{way: measured(command, target) for way, command in commands.items()} for _ in range(repeat)]
    floor = statistics.median(costs[next(iter(commands))].seconds for costs in rounds)
    megabytes = source.stat().st_size / 1e6
    for way in commands:
        costs = [costs[way] for costs in rounds]
        seconds, user, memory = (
            statistics.median(getattr(cost, field) for cost in costs)
            for field in ("seconds", "user", "memory")
        )
        written = f"{costs[0].graph / 1e6:.2f} + {costs[0].data / 1e6:.0f} MB" if costs[0].graph else ""
        print(
            f"| {name}, {megabytes:.0f} MB | {way} | {seconds:.1f} | {seconds / floor:.2f} | {user:.1f} "
            f"| {memory:.0f} | {written} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--folder", type=Path, help="keep the models' files here, and take those that are there"
    )
    options = parser.parse_args()
    print("| model | way | seconds | of the floor | cpu seconds | peak MiB | graph + weights |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-convert-") as work:
        folder = options.folder or Path(work)
        for name in options.models:
            for library in MODELS[name]:
                compare(name, library, folder, options.repeat)


if __name__ == "__main__":
    main()
