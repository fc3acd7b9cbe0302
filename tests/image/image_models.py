"""Model folders as images see them: big weights, a graph, perhaps a contract."""

from __future__ import annotations

import json
import os
from pathlib import Path

from packager.values import ServableVersion

WEIGHTS = 9 << 20


def make_servable(
    root: Path, version: int = 1, name: str = "digits", weights: int = WEIGHTS
) -> ServableVersion:
    path = root / name / str(version)
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(b"graph")
    (path / "variables" / "variables.data-00000-of-00001").write_bytes(os.urandom(weights))
    return ServableVersion(name=name, version=version, path=path)


def with_contract(servable: ServableVersion, source: str = "a" * 64) -> ServableVersion:
    """Give a version a contract, as far as images tell of it."""
    folder = servable.path / "assets.extra" / "packager"
    folder.mkdir(parents=True)
    told = {"source": {"file": "digits.h5", "sha256": source}, "tensorflow": "2.20.0", "format": 1}
    (folder / "contract.json").write_text(json.dumps(told))
    return servable
