"""What a conversion gives is the same on another machine, but for the last digits of the recorded answers.

There is one machine here. Libraries can be told to leave its processor's newer instructions alone, a process
to keep to one core, and all the rest of an environment to be another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fixtures_command import OLD_PROCESSOR, Run, SourceModel

pytestmark = pytest.mark.tensorflow

ELSEWHERE = {
    "USER": "somebody",
    "TZ": "Asia/Kathmandu",
    "LANG": "tr_TR.UTF-8",
    "LC_ALL": "de_DE.UTF-8",
    "PYTHONHASHSEED": "77",
    "OMP_NUM_THREADS": "1",
}
DECLARED = """
[inputs.image]
dtype = "uint8"
steps = [{ rescale = 0.00392156862745098 }, { mean = [0.1], std = [0.7] }]
"""


@contextmanager
def one_core_and_a_strict_mask() -> Iterator[None]:
    """Give them to the processes that are started meanwhile."""
    cores, mask = os.sched_getaffinity(0), os.umask(0o077)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        os.umask(mask)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to a core")
@pytest.mark.parametrize("name", ["keras3_digits", "keras2_text"])
def test_another_machine_gives_the_same_model(
    packager: Run, h5_models: Callable[[str], SourceModel], tmp_path: Path, name: str
) -> None:
    (tmp_path / "declared.toml").write_text(DECLARED if name == "keras3_digits" else "")
    options = ("--name", "m", "--signature", tmp_path / "declared.toml")
    done = packager("convert", h5_models(name).path, *options)
    assert done.code == 0, done.err
    folders = {key: tmp_path / f"über {key.lower()}" for key in ("HOME", "TMPDIR", "CWD")}
    for folder in folders.values():
        folder.mkdir()
    copied = folders["CWD"] / h5_models(name).path.name
    copied.write_bytes(h5_models(name).path.read_bytes())
    os.utime(copied, (1e9, 1e9))
    elsewhere = {**OLD_PROCESSOR, **ELSEWHERE, "HOME": str(folders["HOME"]), "TMPDIR": str(folders["TMPDIR"])}
    verify = ("convert", copied.name, *options, "--verify", tmp_path / "models/m/1")
    with one_core_and_a_strict_mask():
        again = packager(*verify, "--json", cwd=folders["CWD"], **elsewhere)
    assert again.code == 0, again.err
    assert again.json["answers_apart"] is None or again.json["answers_apart"] < 1e-5
    assert again.json["files"] >= 5
    (tmp_path / "models/m/1/assets.extra/packager/samples.npz").write_bytes(b"")
    changed = packager(*verify, cwd=folders["CWD"], **elsewhere)
    assert changed.code == 50
    assert "samples.npz: other bytes" in changed.err
