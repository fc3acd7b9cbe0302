"""Images made without an engine, on a base from a real registry."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures_registry import Registry

from packager import labels
from packager.errors import BaseUnavailableError, UsageError
from packager.image import build_image, describe_base
from packager.image.blobs import BlobStore
from packager.image.image import Image
from packager.values import BuiltImage, ImageReference, ServableVersion

pytestmark = pytest.mark.registry

TAG = ImageReference.parse("digits:1")


@pytest.fixture(autouse=True)
def logged_in(registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(registry.docker_config()))
    monkeypatch.setenv("PACKAGER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


@pytest.fixture(scope="module")
def base(registry: Registry, tiny_image: tuple[Image, BlobStore]) -> tuple[str, str]:
    """The tiny base in the registry: reference and digest."""
    digest = registry.upload(*tiny_image, "packager-test/base", "1")
    return f"{registry.address}/packager-test/base:1", digest


@pytest.fixture
def servable(tmp_path: Path) -> ServableVersion:
    return make_servable(tmp_path / "models", 1)


def make_servable(root: Path, version: int) -> ServableVersion:
    path = root / "digits" / str(version)
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(b"graph")
    (path / "variables" / "variables.data-00000-of-00001").write_bytes(bytes(range(256)) * 20_000)
    return ServableVersion(name="digits", version=version, path=path)


def build(servable: ServableVersion, base: str, layout: Path) -> BuiltImage:
    return build_image([servable], TAG, base=base, engine=None, layout=layout, tensorflow_version="2.20.0")


def documents(layout: Path) -> Iterator[dict[str, object]]:
    """Yield manifest and config."""
    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = json.loads((layout / "blobs" / "sha256" / entry["digest"][7:]).read_text())
    yield manifest
    yield json.loads((layout / "blobs" / "sha256" / manifest["config"]["digest"][7:]).read_text())


def test_the_model_lies_on_the_base(
    servable: ServableVersion, base: tuple[str, str], tmp_path: Path, tiny_image: tuple[Image, BlobStore]
) -> None:
    reference, digest = base
    built = build(servable, reference, tmp_path / "image")
    assert built.base == f"{reference.rpartition(':')[0]}@{digest}"
    assert (built.base_kind, built.in_engine, built.layout) == ("custom", False, tmp_path / "image")
    assert (built.model_name, built.versions, built.reference) == ("digits", (1,), TAG)
    manifest, config = documents(tmp_path / "image")
    blobs = BlobStore(tmp_path / "image" / "blobs" / "sha256")
    assert (
        built.digest == json.loads((tmp_path / "image" / "index.json").read_text())["manifests"][0]["digest"]
    )
    assert len(manifest["layers"]) == 3, "the base, the weights, and the rest"  # type: ignore[arg-type]
    assert all(blobs.path(layer["digest"]).is_file() for layer in manifest["layers"])  # type: ignore[attr-defined]
    settings = config["config"]
    assert settings["Labels"] == {  # type: ignore[index]
        labels.MODEL: "digits",
        labels.VERSIONS: "1",
        labels.TENSORFLOW: "2.20.0",
        "org.opencontainers.image.title": "digits",
        "org.opencontainers.image.version": "1",
        "org.opencontainers.image.base.name": reference,
        "org.opencontainers.image.base.digest": digest,
    }
    assert manifest["annotations"]["org.opencontainers.image.base.digest"] == digest  # type: ignore[index]
    assert "FROM_BASE=yes" in settings["Env"]  # type: ignore[index]


def test_the_same_model_gives_the_same_digest(
    servable: ServableVersion, base: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(servable, base[0], tmp_path / "one")
    clone = tmp_path / "clone" / "digits" / "1"
    shutil.copytree(servable.path, clone)
    (clone / "saved_model.pb").chmod(0o600)
    os.utime(clone / "saved_model.pb", (1, 1))
    monkeypatch.setenv("PACKAGER_CACHE", str(tmp_path / "another-cache"))
    second = build(ServableVersion(name="digits", version=1, path=clone), base[0], tmp_path / "two")
    assert first.digest == second.digest
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    dated = build(servable, base[0], tmp_path / "three")
    assert dated.digest != first.digest
    _, config = documents(tmp_path / "three")
    assert config["created"] == "2023-11-14T22:13:20Z"


def test_a_base_that_the_registry_has_not(
    registry: Registry, servable: ServableVersion, tmp_path: Path
) -> None:
    with pytest.raises(BaseUnavailableError, match="cannot be had") as caught:
        build(servable, f"{registry.address}/packager-test/absent:1", tmp_path / "image")
    assert "--base embedded" in str(caught.value.hint)
    assert not (tmp_path / "image").exists()


def test_a_base_behind_a_login(
    registry: Registry,
    base: tuple[str, str],
    servable: ServableVersion,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for config in (registry.empty_docker_config(), registry.docker_config(password="wrong")):
        monkeypatch.setenv("DOCKER_CONFIG", str(config))
        with pytest.raises(BaseUnavailableError, match="refuses these credentials"):
            build(servable, base[0], tmp_path / "image")


def test_the_doctor_learns_where_a_base_would_come_from(
    registry: Registry, base: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    told = describe_base(base[0], tensorflow="2.20.0")
    assert told == f"{base[0]} (custom), from {registry.address}"
    with pytest.raises(BaseUnavailableError, match="absent:1' cannot be had"):
        describe_base(f"{registry.address}/packager-test/absent:1", tensorflow="2.20.0")
    assert not (tmp_path / "cache").exists(), "nothing is fetched for an answer"


def test_without_an_engine_a_folder_is_needed(servable: ServableVersion) -> None:
    with pytest.raises(UsageError) as caught:
        build_image([servable], TAG, engine=None)
    assert "--oci-layout" in str(caught.value.hint)


def test_a_digest_is_no_name_for_what_is_to_be_built(servable: ServableVersion, tmp_path: Path) -> None:
    pinned = TAG.with_digest("sha256:" + "0" * 64)
    with pytest.raises(UsageError, match="before it is built"):
        build_image([servable], pinned, engine=None, layout=tmp_path / "image")
