"""Every known attack through a model file, at the real commands: nothing runs, nothing outside is read."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType

import pytest
from payloads import ATTACKS, MODULE, Target, marking

HERE = Path(__file__).parent
SECONDS = 2.0
MEGABYTES = 300


@dataclass(frozen=True)
class Spent:
    """What a command said, and what it took."""

    code: int
    out: str
    err: str
    seconds: float
    """Of processor time, with its children: the machine may be busy."""
    megabytes: float


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    made = Target(marker=tmp_path / "marker", secret=tmp_path / "secret")
    os.mkfifo(made.secret)  # opening it would wait for a writer, until the command is ended
    (tmp_path / f"{MODULE}.py").write_text(f"open({str(made.marker)!r}, 'w').close()\n")
    yield made
    assert not made.marker.exists(), "code of the file was run"


METER = """
import json, resource, subprocess, sys
code = subprocess.run(sys.argv[2:]).returncode
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as file:
    json.dump([code, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024], file)
"""
"""Runs a command from a small process: a child's peak begins with the memory of the one that started it."""


def packager(folder: Path, *arguments: str) -> Spent:
    meter = folder / "spent.json"
    process = subprocess.Popen(
        [sys.executable, "-c", METER, meter, sys.executable, "-m", "packager", *arguments],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        pytest.fail("the command hangs: it waits for a file outside the model")
    code, seconds, megabytes = json.loads(meter.read_text())
    return Spent(code=code, out=out, err=err, seconds=seconds, megabytes=megabytes)


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_runs_and_nothing_outside_is_read(tmp_path: Path, target: Target, name: str) -> None:
    write, rule = ATTACKS[name]
    write(tmp_path / "model.h5", target)
    told = packager(tmp_path, "inspect", "model.h5", "--json", "--sarif", "found.sarif")
    assert told.code == 0, told.err
    assert rule in {finding["rule"] for finding in json.loads(told.out)["findings"]}
    assert json.loads((tmp_path / "found.sarif").read_text())["runs"][0]["results"]
    assert told.seconds < SECONDS
    assert told.megabytes < MEGABYTES
    refused = packager(tmp_path, "convert", "model.h5", "--name", "m")
    if rule == "KERAS-CUSTOM-OBJECT":  # asked for, which only the loader can tell
        assert refused.code == 13, refused.err
        assert "--custom-objects" in refused.err
    else:
        assert refused.code == 12, refused.err
        assert rule in refused.err
        assert refused.megabytes < MEGABYTES
        assert refused.seconds < SECONDS
    assert not (tmp_path / "models" / "m").exists()


def test_a_file_on_which_libhdf5_never_ends(tmp_path: Path) -> None:
    """As fuzzing found it; a libhdf5 that ends on it may call it damaged, or read it."""
    shutil.copyfile(HERE / "never_ends.h5", tmp_path / "model.h5")
    for verb in (["inspect", "model.h5"], ["convert", "model.h5", "--name", "m"]):
        told = packager(tmp_path, *verb)
        assert told.code in (0, 10, 12, 13)
        assert "Traceback" not in told.err
        assert told.seconds < SECONDS
        assert told.megabytes < MEGABYTES


def test_the_payloads_are_real(tmp_path: Path, target: Target) -> None:
    import base64
    import marshal

    FunctionType(marshal.loads(base64.b64decode(marking(target.marker))), globals())(1)
    assert target.marker.exists()
    target.marker.unlink()
    subprocess.run([sys.executable, "-c", f"import {MODULE}"], cwd=tmp_path, check=True)
    assert target.marker.exists()
    target.marker.unlink()


def test_an_architecture_beside_the_weights_attacks_no_better(tmp_path: Path, target: Target) -> None:
    import h5py

    write, _ = ATTACKS["a lambda in a nested model"]
    write(tmp_path / "model.h5", target)
    with h5py.File(tmp_path / "model.h5", "r+") as file:
        (tmp_path / "model.json").write_text(file.attrs["model_config"])
        del file.attrs["model_config"]
    refused = packager(tmp_path, "convert", "model.h5", "--name", "m", "--architecture", "model.json")
    assert refused.code == 12
    assert "refused 'model.json': layer 'l' holds Python" in refused.err
