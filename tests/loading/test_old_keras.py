"""Files of Keras 1.0 to 2.3 on Theano: rebuilt models answer what old Keras itself answered."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from loads import KERAS2, in_child
from recorded import ARCHIVE, ON_TENSORFLOW, Comparison, compare_all, recorded_names

from packager.values import Supplied

pytestmark = pytest.mark.tensorflow

WITHOUT_COUNTERPART = {"1.2.2/bn_modes": "mode 2, whose answers depend on what else is in the batch"}
ANY_BACKEND = {"1.2.2/mlp", "1.2.2/rnn_LSTM", "1.2.2/merge_first", "1.0.8/tdd"}
"""Models of Keras 1 without convolutions: it does not matter where they were computed."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return folder


def compared(folder: Path, names: list[str], supplied: Supplied) -> dict[str, Comparison]:
    paths = [folder / f"{name}.h5" for name in names]
    return dict(zip(names, in_child(compare_all, paths, supplied, environment=KERAS2), strict=True))


@pytest.fixture(scope="module")
def on_theano(folder: Path) -> dict[str, Comparison]:
    return compared(folder, recorded_names(), Supplied(keras1_backend="theano"))


@pytest.mark.parametrize("name", recorded_names())
def test_it_answers_as_the_keras_that_wrote_it(on_theano: dict[str, Comparison], name: str) -> None:
    found = on_theano[name]
    if name in WITHOUT_COUNTERPART:
        assert found.error is not None
        assert WITHOUT_COUNTERPART[name] in found.error.message
    else:
        assert found.error is None, f"{found.error}: {found.error.details}"
        assert found.difference < 1e-5


def test_the_backend_is_asked_for_where_it_matters_and_only_there(folder: Path) -> None:
    depending = ["1.2.2/conv_th", "1.1.1/conv1d", "1.2.2/td_conv"]
    unsaid = compared(folder, [*ANY_BACKEND, *depending], Supplied())
    for name in ANY_BACKEND:
        assert unsaid[name].error is None
        assert unsaid[name].difference < 1e-5
    for name in depending:
        error = unsaid[name].error
        assert error is not None
        assert "backend not recorded" in error.message
        assert "--keras1-backend theano" in error.hint


@pytest.fixture(scope="module")
def on_tensorflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("on_tensorflow")
    with zipfile.ZipFile(ON_TENSORFLOW) as archive:
        archive.extractall(folder)
    return folder


def test_what_was_computed_on_tensorflow_is_computed_so(on_tensorflow: Path) -> None:
    """Kernels of a separable convolution lie as on Theano there, and SReLU is another function."""
    names = ["1.2.2/srelu", "1.2.2/separable_th", "1.2.2/shared_axes"]
    for name, found in compared(on_tensorflow, names, Supplied(keras1_backend="tensorflow")).items():
        assert found.error is None, f"{name}: {found.error}: {found.error.details}"
        assert found.difference < 1e-5, name


def test_an_architecture_beside_its_weights_has_the_defaults_of_its_time(on_tensorflow: Path) -> None:
    supplied = Supplied(architecture=str(on_tensorflow / "2.0.8" / "gru_weights.json"))
    (found,) = compared(on_tensorflow, ["2.0.8/gru_weights"], supplied).values()
    assert found.error is None, f"{found.error}: {found.error.details}"
    assert found.difference < 1e-6
