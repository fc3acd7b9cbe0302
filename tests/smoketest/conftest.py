"""Fixtures that smoke tests of folders and of images share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_models import export, recorded

from packager.contract import Contract, Sample, write_contract


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with the versions 1 and 2, which answer differently."""
    base_path = tmp_path_factory.mktemp("models") / "m"
    for version in (1, 2):
        weights = np.array([[1, 2, 3], [4, 5, 6]], np.float32) * version
        export(base_path / str(version), weights)
        write_contract(recorded(weights), base_path / str(version))
    return base_path


@pytest.fixture(scope="session")
def contract_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version folder with nothing but a contract."""
    folder = tmp_path_factory.mktemp("contract") / "1"
    sample = Sample(
        signature="serving_default",
        inputs={"x": np.zeros((1, 2), np.float32)},
        outputs={"y": np.zeros((1, 1), np.float32)},
    )
    contract = Contract(
        source="m.h5",
        source_sha256="0",
        tensorflow="2.20.0",
        loader="keras 3",
        signatures=(),
        samples=(sample,),
    )
    write_contract(contract, folder)
    return folder
