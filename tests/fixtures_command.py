"""Real ``.h5`` files, and the command run as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from packager.values import Conversion


@dataclass(frozen=True)
class Done:
    """What a run of the command left: exit code and both outputs."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Done]

OLD_PROCESSOR = {
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "DNNL_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX AVX2 FMA3 F16C",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-FMA,-ERMS",
}
"""Has libraries leave alone what a processor learnt in the last years, as far as they can be told to."""


@pytest.fixture(scope="session")
def command() -> list[str]:
    return [sys.executable, "-m", "packager"]


@pytest.fixture
def packager(command: list[str], tmp_path: Path) -> Run:
    """Run a verb in an empty folder."""

    def run(*arguments: object, cwd: Path = tmp_path, stdin: str | None = None, **environment: str) -> Done:
        done = subprocess.run(
            [*command, *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "NO_COLOR": "1", **environment},
            capture_output=True,
            input=stdin,
            text=True,
            timeout=300,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@dataclass(frozen=True)
class SourceModel:
    """An ``.h5`` file and what the model in it answered before it was saved."""

    path: Path
    inputs: Mapping[str, Any]
    outputs: tuple[Any, ...]


@pytest.fixture(scope="session")
def h5_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], SourceModel]:
    """The models of ``make_models.py`` by name."""
    folder = tmp_path_factory.mktemp("h5")
    maker = Path(__file__).with_name("make_models.py")
    subprocess.run([sys.executable, maker, folder], check=True, capture_output=True)

    def named(name: str) -> SourceModel:
        with np.load(folder / f"{name}.npz") as arrays:
            inputs = {key[3:]: arrays[key] for key in arrays if key.startswith("in/")}
            outputs = tuple(arrays[key] for key in sorted(arrays) if key.startswith("out/"))
        return SourceModel(folder / f"{name}.h5", inputs, outputs)

    return named


@pytest.fixture(scope="session")
def served_digits(
    h5_models: Callable[[str], SourceModel], tmp_path_factory: pytest.TempPathFactory
) -> Conversion:
    """The small digits model of Keras 3, converted once for all tests that only read it."""
    import packager

    return packager.convert(
        h5_models("keras3_digits").path, name="digits", output=tmp_path_factory.mktemp("served") / "models"
    )
