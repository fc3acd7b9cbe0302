"""TensorFlow imported sparingly: all its names are there, and code of the user's finds what it looks for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fixtures_command import Run
from loads import HERE, answer_of

pytestmark = pytest.mark.tensorflow

LOADED = """
import sys
from packager.importing import import_tensorflow
import_tensorflow()
import {library}
print(*sys.modules)
"""


def python(*arguments: object, legacy: bool) -> str:
    environment = {"KERAS_BACKEND": "tensorflow", "TF_USE_LEGACY_KERAS": str(int(legacy))}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, **environment, "TF_CPP_MIN_LOG_LEVEL": "2"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.parametrize("legacy", [False, True], ids=["keras", "tf_keras"])
def test_every_public_name_stands_for_what_it_does_otherwise(legacy: bool) -> None:
    plain, sparing = (python(HERE / "public_names.py", how, legacy=legacy) for how in ("plain", "sparing"))
    assert len(plain.splitlines()) > 4000
    assert sparing == plain


@pytest.mark.parametrize(
    ("library", "untouched"),
    [
        ("keras", {"sklearn", "scipy", "pandas", "tensorflow.lite", "tensorflow.python.debug"}),
        ("tf_keras", {"sklearn", "scipy", "pandas"}),  # which looks into tf.compat.v1
    ],
)
def test_what_nobody_touches_is_not_loaded(library: str, untouched: set[str]) -> None:
    loaded = python("-c", LOADED.format(library=library), legacy=library == "tf_keras").split()
    assert {"tensorflow", f"{library}.src.layers"} <= set(loaded)
    assert not untouched & set(loaded)


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_code_that_looks_into_corners_is_converted(packager: Run, tmp_path: Path, library: str) -> None:
    legacy = library == "tf_keras"
    python(HERE / "make_corners.py", library, tmp_path, legacy=legacy)
    question, answer = answer_of(tmp_path / "corners.h5")
    np.savez(tmp_path / "golden.npz", **{"inputs/picture": question, "outputs/dense": answer})
    done = packager(
        "convert",
        "corners.h5",
        "--name",
        "m",
        "--custom-objects",
        HERE / "corners.py",
        "--golden",
        "golden.npz",
    )
    assert done.code == 0, done.err


def test_what_an_import_leaves_out_shows_nowhere() -> None:
    python(HERE / "left_out.py", legacy=False)
