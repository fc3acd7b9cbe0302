"""Every known attack through a model file, at the real commands: nothing runs, nothing outside is read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
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


def packager(folder: Path, *arguments: str) -> Spent:
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "packager", *arguments],
            cwd=folder,
            env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(folder)},
            stdout=out,
            stderr=err,
        )
        usage, status = waited(process)
        out.seek(0)
        err.seek(0)
        return Spent(
            code=os.waitstatus_to_exitcode(status),
            out=out.read(),
            err=err.read(),
            seconds=usage.ru_utime + usage.ru_stime,
            megabytes=usage.ru_maxrss / 1024,
        )


def waited(process: subprocess.Popen[bytes]) -> tuple[os.struct_rusage, int]:  # type: ignore[name-defined]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = 0  # waited for already
            return usage, status
        time.sleep(0.02)
    process.kill()
    pytest.fail("the command hangs: it waits for a file outside the model")


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
