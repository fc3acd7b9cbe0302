"""Change valid files at random, hand each to packager, and count what comes of it.

scripts/fuzz --inspect 10000 --convert 300 --seed 1      (the same seed makes the same files,
                                                         but for the times in them)

A file is inspected in a process that inspects many, as packager confines each inspection itself; it is
converted by the command. A traceback, a file that takes too long or too much memory, a crash of either
process, or anything left behind is a failure: the file is kept, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from fuzzing.archives import mutate_archive
from fuzzing.mutations import mutate
from fuzzing.seeds import Seed, write_seeds

CPU_SECONDS = 2.0
MEGABYTES = 300
HANG = 60.0
CONVERT_SECONDS = 150.0


@dataclass
class Tally:
    """What came of the files so far."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, outcome: str) -> None:
        with self.lock:
            self.outcomes[outcome] += 1


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inspect", type=int, default=0, metavar="N", help="files to inspect")
    parser.add_argument("--convert", type=int, default=0, metavar="N", help="files to convert")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, metavar="I", help="number of the first file")
    parser.add_argument(
        "--corpus", type=Path, metavar="DIR", help="real files, the small ones of which are changed too"
    )
    parser.add_argument(
        "--keep", type=Path, default=Path("fuzz-failures"), metavar="DIR", help="where failures go"
    )
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="files at a time")
    parser.add_argument("--worker", nargs=2, type=int, metavar=("I", "J"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.worker:
        return work(given)
    tallies = {"inspect": Tally(), "convert": Tally()}
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        run_all(inspecting(given, tallies["inspect"]))
        seeds = write_seeds(folder, given.corpus)
        numbers = iter(range(given.first, given.first + given.convert))
        run_all(converting(given, folder, seeds, numbers, tallies["convert"]))
    for verb, tally in tallies.items():
        counts = ", ".join(f"{count} {outcome}" for outcome, count in tally.outcomes.most_common())
        print(f"{verb}: {sum(tally.outcomes.values())} files: {counts or 'none'}")
    failures = [f"{verb}: {failure}" for verb, tally in tallies.items() for failure in tally.failures]
    print(f"{len(failures)} failures in {time.monotonic() - started:.0f} s, seed {given.seed}")
    print("\n".join(failures))
    return 1 if failures else 0


def run_all(jobs: Sequence[threading.Thread]) -> None:
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()


def make_file(number: int, seed: int, seeds: Sequence[Seed], path: Path) -> Seed:
    """Write changed file ``number`` to ``path``; return the seed that it was made of."""
    random = Random(f"{seed}:{number}")
    chosen = random.choice(seeds)
    for _ in range(20):
        shutil.copyfile(chosen.path, path)
        try:
            (mutate_archive if chosen.path.suffix == ".keras" else mutate)(path, random)
        except (OSError, RuntimeError, ValueError, TypeError, KeyError):  # h5py refuses to write that
            continue
        return chosen
    raise RuntimeError(f"file {number} of seed {seed} cannot be made of {chosen.path.name}")


def keep(given: argparse.Namespace, path: Path, verb: str, number: int) -> Path:
    given.keep.mkdir(exist_ok=True)
    kept: Path = given.keep / f"{verb}-{given.seed}-{number}.h5"
    shutil.copyfile(path, kept)
    return kept


# Inspecting: workers that inspect one file after the other, and say so line by line.


def inspecting(given: argparse.Namespace, tally: Tally) -> list[threading.Thread]:
    step = -(-given.inspect // given.jobs) if given.inspect else 0
    first, end = given.first, given.first + given.inspect
    slices = [(start, min(start + step, end)) for start in range(first, end, step or 1)]
    return [threading.Thread(target=supervise, args=(given, *bounds, tally)) for bounds in slices]


def supervise(given: argparse.Namespace, first: int, end: int, tally: Tally) -> None:
    """Have files inspected by a worker, and by another one where that dies or hangs."""
    while first < end:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            begun = first - 1
            for line in worker_lines(given, first, end, Path(folder)):
                number, *told = line.rstrip("\n").split("\t")
                if not told:
                    begun = int(number)
                    continue
                first = int(number) + 1
                tally.add(told[0])
                if len(told) > 1:
                    tally.failures.append(f"file {number}: {json.loads(told[1])}")
            if first < end:
                kept = keep(given, Path(folder) / "case.h5", "inspect", begun)
                tally.failures.append(f"file {begun}: the inspecting process died or hung: {kept}")
                tally.add("parent crashed")
                first = max(begun, first) + 1


def worker_lines(given: argparse.Namespace, first: int, end: int, folder: Path) -> Iterator[str]:
    """Yield what a worker says, until it ends or says nothing for too long."""
    command = [sys.executable, __file__, "--worker", str(first), str(end), "--seed", str(given.seed)]
    command += ["--keep", str(given.keep.resolve())]
    command += ["--corpus", str(given.corpus.resolve())] if given.corpus else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder) as worker:
        assert worker.stdout
        waiting = b""
        while select.select([worker.stdout], [], [], HANG)[0]:
            chunk = os.read(worker.stdout.fileno(), 1 << 16)
            if not chunk:
                break
            *lines, waiting = (waiting + chunk).split(b"\n")
            yield from (line.decode() for line in lines)
        worker.kill()


def work(given: argparse.Namespace) -> int:
    """Inspect files in this process, one after the other."""
    path = Path("case.h5")
    with tempfile.TemporaryDirectory(prefix="fuzz-seeds-") as name:
        seeds = write_seeds(Path(name), given.corpus)
        for number in range(*given.worker):
            make_file(number, given.seed, seeds, path)
            print(number, flush=True)
            outcome, failure = inspect_once(path)
            if failure:
                kept = keep(given, path, "inspect", number)
                failure = "\t" + json.dumps(f"{failure} ({kept})")
            print(f"{number}\t{outcome}{failure}", flush=True)
    return 0


def inspect_once(path: Path) -> tuple[str, str]:
    """Inspect a file, show the result as the command does, and return what came of it and what is wrong."""
    from rich.console import Console

    from packager import pipeline
    from packager.cli.inspect import render
    from packager.errors import PackagerError
    from packager.values import to_json

    before = cpu_seconds()
    try:
        inspection = pipeline.inspect(path, sarif=path.with_suffix(".sarif"))
        json.dumps(to_json(inspection)).encode()
        render(inspection, Console(file=io.StringIO(), width=200))
        outcome = "refused" if inspection.errors else f"passed as {inspection.kind.value}"
    except PackagerError as error:
        outcome = f"exit {error.exit_code}"
        for word, what in (("crashes on it", "crash confined"), ("takes more than", "limit reached")):
            outcome = f"exit {error.exit_code}, {what}" if word in error.message else outcome
    except Exception:  # noqa: BLE001 - this is what is looked for
        return "traceback", traceback.format_exc()
    spent = cpu_seconds() - before
    if spent > CPU_SECONDS:
        return outcome, f"{spent:.1f} s of processor time"
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return outcome, f"{peak:.0f} MB" if peak > MEGABYTES else ""


def cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


# Converting: the command, a few at a time.


def converting(
    given: argparse.Namespace, folder: Path, seeds: Sequence[Seed], numbers: Iterator[int], tally: Tally
) -> list[threading.Thread]:
    lock = threading.Lock()

    def convert_next() -> None:
        while True:
            with lock:
                number = next(numbers, None)
                if number is None:
                    return
                path = folder / f"convert{number}.h5"
                seed = make_file(number, given.seed, seeds, path)
            failure = convert_once(path, seed, folder / f"out{number}", tally)
            if failure:
                kept = keep(given, path, "convert", number)
                tally.failures.append(f"file {number} of {seed.path.name}: {failure} ({kept})")
            path.unlink()

    return [threading.Thread(target=convert_next) for _ in range(given.jobs)]


def convert_once(path: Path, seed: Seed, output: Path, tally: Tally) -> str:
    """Convert a file by the command; return what is wrong with what came of it."""
    command = [sys.executable, "-m", "packager", "convert", str(path), "--name", "m", "--output", str(output)]
    try:
        done = subprocess.run(
            [*command, "--json", *seed.options], capture_output=True, timeout=CONVERT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        tally.add("hang")
        return f"more than {CONVERT_SECONDS:.0f} s"
    err = done.stderr.decode("utf-8", "replace")
    tally.add(f"exit {done.returncode}" if done.returncode else "converted")
    if done.returncode in (1, 2) or done.returncode < 0 or "Traceback (most recent call last)" in err:
        return f"exit {done.returncode}: {err[-3000:]}"
    left = [str(p.relative_to(output)) for p in output.rglob("*")] if output.exists() else []
    if done.returncode and left:
        return f"exit {done.returncode}, and left {left[:5]}"
    shutil.rmtree(output, ignore_errors=True)
    return ""


if __name__ == "__main__":
    sys.exit(main())
