"""Whatever ends a conversion, and when: a numbered version folder is complete, and no older one lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from fixtures_command import Run, SourceModel

pytestmark = pytest.mark.tensorflow

KILLS = int(os.environ.get("PACKAGER_KILLS", "4"))
"""How often a conversion is killed; it takes about five seconds each time."""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def children(process: int) -> Iterator[int]:
    tasks = Path(f"/proc/{process}/task/{process}/children")
    yield from map(int, tasks.read_text().split())


@pytest.fixture
def converting(
    command: list[str], h5_models: Callable[[str], SourceModel], tmp_path: Path
) -> Callable[..., subprocess.Popen[str]]:
    def started(*options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, "convert", h5_models("keras3_digits").path, "--name", "m", *options],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )

    return started


def test_a_killed_conversion_leaves_whole_versions_only(
    converting: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    began = time.monotonic()
    assert converting("--version", "1").wait() == 0
    duration = time.monotonic() - began
    base = tmp_path / "models/m"
    whole, moments = contents(base / "1"), random.Random(os.environ.get("PACKAGER_SEED", "7"))
    for number in range(KILLS):
        process = converting(*(("--version", "1", "--force") if number % 2 else ()))
        time.sleep(moments.uniform(0.1, 1.1) * duration)
        for victim in [*children(process.pid)] if number % 4 >= 2 and process.poll() is None else []:
            os.kill(victim, signal.SIGKILL)
        if number % 4 < 2:
            process.kill()
        process.communicate()
        numbered = [folder for folder in base.iterdir() if folder.name.isdecimal()]
        assert base / "1" in numbered, "the older version is lost"
        for folder in numbered:
            assert contents(folder) == whole, f"{folder} after kill {number}"
    assert converting("--version", "99").wait() == 0
    assert not list(base.glob(".*")), "the next run removes what a killed one left"


def test_two_converters_that_meet_do_not_mix(
    converting: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    pair = [converting("--version", "3") for _ in range(2)]
    errors = [process.communicate()[1] for process in pair]
    assert sorted(process.returncode for process in pair) == [0, 17], errors
    assert "version 3 exists already" in "".join(errors)
    assert os.listdir(tmp_path / "models/m") == ["3"]


def test_a_damaged_weight_is_told_and_leaves_nothing(
    packager: Run, h5_models: Callable[[str], SourceModel], tmp_path: Path
) -> None:
    """The file is sound but for the bytes of one large dataset, which are read last."""
    damaged = tmp_path / "damaged.h5"
    with h5py.File(h5_models("keras3_digits").path) as source, h5py.File(damaged, "w") as file:
        for name in source:
            source.copy(name, file)
        file.attrs.update(source.attrs)
        paths: list[str] = []
        file["model_weights"].visit(paths.append)
        (kernel,) = (path for path in paths if path.endswith("digit/kernel"))
        shape = file["model_weights"][kernel].shape
        del file["model_weights"][kernel]
        noise = np.random.RandomState(0).normal(size=shape).astype("f4")
        dataset = file["model_weights"].create_dataset(kernel, data=noise, chunks=shape, compression="gzip")
        chunk = dataset.id.get_chunk_info(0)
    with damaged.open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(b"\xff" * chunk.size)
    done = packager("convert", damaged, "--name", "m")
    assert 10 <= done.code <= 13, done.err
    assert not (tmp_path / "models").exists()
