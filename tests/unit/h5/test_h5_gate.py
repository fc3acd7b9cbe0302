"""Only a full model without unsafe findings may be loaded; the refusal says what is in the way."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from h5_files import DENSE, dense_model, layer, write_listed, write_model

from packager.errors import UnsafeFileError, WeightsOnlyError
from packager.h5 import RULES, inspect_file, require_loadable

LAMBDA = layer("Lambda", "shift", function=["4wEAAAA=", None, None], function_type="lambda")


def test_a_full_model_may_be_loaded(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.h5", dense_model(layer("Custom", "c")), {"dense": DENSE})
    require_loadable(inspect_file(path))


def test_an_unsafe_file_is_refused_by_all_its_findings(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a model.h5", dense_model(LAMBDA))
    with h5py.File(path, "r+") as file:
        file["link"] = h5py.SoftLink("/model_weights")
    with pytest.raises(UnsafeFileError) as caught:
        require_loadable(inspect_file(path))
    assert (
        caught.value.message == f"refused '{path}': '/link' is a soft link to '/model_weights' (and 1 more)"
    )
    assert caught.value.hint == f"packager inspect '{path}' shows all findings"
    assert caught.value.details
    assert "H5-SOFT-LINK /link" in caught.value.details
    assert "KERAS-LAMBDA model_config/config/layers/1/config/function: layer 'shift'" in caught.value.details


def test_weights_without_an_architecture(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.2.4"
        write_listed(file, {"dense": DENSE, "a": {}, "b": {}, "c": {}, "d": {}})
    with pytest.raises(WeightsOnlyError) as caught:
        require_loadable(inspect_file(path))
    assert caught.value.message == f"'{path}' holds weights only (Keras 2.2.4, 5 layers: dense, a, b, c, …)"
    assert caught.value.hint == "supply --architecture model.json or module:function"


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ("layers/dense/vars/0", "holds weights only, of Keras 3 (1 layers: dense)"),
        ("weights/w", "holds datasets only, in no layout that Keras writes (1 groups: weights)"),
    ],
)
def test_other_files_without_an_architecture(tmp_path: Path, dataset: str, said: str) -> None:
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file[dataset] = np.ones(3)
    with pytest.raises(WeightsOnlyError) as caught:
        require_loadable(inspect_file(tmp_path / "weights.h5"))
    assert said in caught.value.message


def test_unsafe_weights_are_unsafe_before_they_are_weights(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["w"], file["link"] = np.ones(3), h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(UnsafeFileError, match="links to '/' in '/etc/passwd'"):
        require_loadable(inspect_file(tmp_path / "weights.h5"))


def test_rule_ids_are_unique_and_described() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.id.isupper() and rule.summary for rule in RULES)
