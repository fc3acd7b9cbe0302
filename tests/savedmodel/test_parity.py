"""What of two answers is called a difference."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.tensorflow

PROGRAM = """
import numpy as np
from packager.errors import ParityError
from packager.savedmodel.export import _difference
nan, one = np.array([np.nan, 1.0]), np.array([1.0, 1.0])
assert _difference("a", nan, nan) == 0
assert _difference("a", one, one + 1e-7) < 1e-6
for expected, answer in ((nan, one), (one, nan), (one, one + 1)):
    try:
        _difference("a", expected, answer)
    except ParityError as error:
        print(error.message)
"""


def test_nan_equals_nan_and_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert said == [
        "output 'a' is NaN where the source model's is not, or the other way round",
        "output 'a' is NaN where the source model's is not, or the other way round",
        "output 'a' differs by 1 from the source model's",
    ]
