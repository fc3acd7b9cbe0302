"""What tests of every kind share: where real files are, and what this machine lets them use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real ``.h5`` files by other people; it lies outside the repository."""
    folder = Path(os.environ.get("PACKAGER_CORPUS", REPOSITORY.parent / "shared" / "corpus"))
    if not (folder / "index.csv").is_file():
        pytest.skip(f"corpus not found at {folder} (set PACKAGER_CORPUS)")
    return folder
