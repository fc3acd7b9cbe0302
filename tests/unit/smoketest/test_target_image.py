from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from packager import labels
from packager.contract import Contract, Sample, write_contract
from packager.engine import EngineImage
from packager.errors import ImageNotFoundError, SmokeError, UsageError
from packager.smoketest import image as image_module
from packager.smoketest.image import contract_in, model_name, versions_in


def image(*, environment=None, **label_values) -> EngineImage:
    return EngineImage(
        id="sha256:0",
        tags=(),
        repo_digests=(),
        os="linux",
        architecture="amd64",
        size=0,
        labels={getattr(labels, name): value for name, value in label_values.items()},
        environment=environment or {},
        user="",
        entrypoint=(),
        exposed_ports=(),
    )


class Files:
    """What a container of the image would give out of a folder, in chunks of odd sizes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def archive(self, path: str) -> Iterator[bytes]:
        source = self.root / path.lstrip("/")
        if not source.exists():
            raise ImageNotFoundError(f"the image holds no {path!r}")
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            tar.add(source, arcname=source.name)
        content = buffer.getvalue()
        yield from (content[i : i + 777] for i in range(0, len(content), 777))


@pytest.fixture
def contract() -> Contract:
    sample = Sample(
        signature="s", inputs={"x": np.zeros((1, 2), np.float32)}, outputs={"y": np.ones((1, 1), np.float32)}
    )
    return Contract(
        source="m.h5",
        source_sha256="0",
        tensorflow="2.20.0",
        loader="keras 3",
        signatures=(),
        samples=(sample,),
    )


@pytest.fixture
def files(tmp_path: Path, contract: Contract) -> Files:
    for version in ("1", "2"):
        folder = tmp_path / "models" / "m" / version
        write_contract(contract, folder)
        (folder / "saved_model.pb").write_bytes(b"x" * 3000)
    return Files(tmp_path)


def test_the_name_that_the_entry_point_reads_wins_over_the_label():
    assert model_name(image(environment={"MODEL_NAME": "m"}, MODEL="other")) == "m"
    assert model_name(image(MODEL="m")) == "m"


def test_an_image_without_a_model_name_is_refused():
    with pytest.raises(SmokeError, match="does not tell which model") as caught:
        model_name(image())
    assert "packager build" in caught.value.hint


def test_versions_are_read_from_the_label(tmp_path: Path):
    named = image(environment={"MODEL_NAME": "m"}, MODEL="m", VERSIONS="3,7")
    assert versions_in(named, Files(tmp_path)) == {3: "/models/m/3", 7: "/models/m/7"}


@pytest.mark.parametrize(
    "unlabelled",
    [
        image(environment={"MODEL_NAME": "m"}),
        image(environment={"MODEL_NAME": "m"}, MODEL="inherited", VERSIONS="9"),
        image(environment={"MODEL_NAME": "m"}, MODEL="m", VERSIONS="one"),
        image(environment={"MODEL_NAME": "m", "MODEL_BASE_PATH": "/models"}),
    ],
)
def test_versions_without_a_label_of_this_model_are_read_from_the_files(unlabelled, files):
    assert versions_in(unlabelled, files) == {1: "/models/m/1", 2: "/models/m/2"}


def test_another_base_path_is_honoured(files: Files):
    moved = image(environment={"MODEL_NAME": "m", "MODEL_BASE_PATH": "/srv"})
    (files.root / "models").rename(files.root / "srv")
    assert versions_in(moved, files) == {1: "/srv/m/1", 2: "/srv/m/2"}


def test_an_image_without_versions_is_refused(files: Files):
    (files.root / "models" / "empty").mkdir()
    with pytest.raises(ImageNotFoundError, match="no versions in '/models/empty'"):
        versions_in(image(environment={"MODEL_NAME": "empty"}), files)


def test_the_contract_is_read_out_of_the_image(files: Files, contract: Contract):
    found = contract_in(files, "/models/m/2")
    assert found.source == contract.source
    assert np.array_equal(found.samples[0].outputs["y"], contract.samples[0].outputs["y"])


def test_an_image_without_contract_has_none(files: Files):
    assert contract_in(files, "/models/m/3") is None


def test_nothing_but_the_contract_s_files_is_taken_out(files: Files, tmp_path: Path):
    folder = tmp_path / "models" / "m" / "1" / "assets.extra" / "packager"
    (folder / "more").mkdir()
    (folder / "more" / "evil").write_text("x")
    (folder / "samples.npz").rename(tmp_path / "elsewhere")
    (folder / "samples.npz").symlink_to("/etc/passwd")
    with pytest.raises(Exception, match="unreadable contract"):
        contract_in(files, "/models/m/1")


def test_a_contract_beyond_the_limit_is_refused(files: Files, monkeypatch):
    monkeypatch.setattr(image_module, "CONTRACT_LIMIT", 100)
    with pytest.raises(SmokeError, match="larger than 100 bytes"):
        contract_in(files, "/models/m/1")


def test_one_of_several_models_can_be_chosen(files: Files) -> None:
    both = image(environment={"MODEL_NAME": "a"}, MODEL="a,m", VERSIONS="a/7,m/1,m/2")
    assert model_name(both) == "a"
    assert model_name(both, "m") == "m"
    assert set(versions_in(both, files, "m")) == {1, 2}
    with pytest.raises(UsageError, match="serves no model 'z'") as caught:
        model_name(both, "z")
    assert "--model a" in caught.value.hint
