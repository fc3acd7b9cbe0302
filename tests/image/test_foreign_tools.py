"""What is pushed and written is taken by the tools of others: skopeo, and the docker command."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fixtures_registry import Registry
from image_models import make_servable, with_contract

from packager import labels
from packager.engine import Engine
from packager.image import build_image
from packager.values import BuiltImage, ImageReference, ServableVersion

pytestmark = pytest.mark.registry


@pytest.fixture(autouse=True)
def logged_in(registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(registry.docker_config()))
    monkeypatch.setenv("PACKAGER_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def skopeo(registry: Registry) -> Callable[..., str]:
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is missing (apt-get install skopeo)")
    login = ("--creds", f"{registry.username}:{registry.password}")

    def run(verb: str, *arguments: str, remote: bool = True) -> str:
        options = {
            "inspect": ("--tls-verify=false", *login),
            "copy": ("--src-tls-verify=false", "--src-creds", login[1]),
        }
        return subprocess.check_output(
            ["skopeo", verb, *(options[verb] if remote else ()), *arguments], text=True, timeout=120
        )

    return run


@pytest.fixture
def servable(tmp_path: Path) -> ServableVersion:
    return with_contract(make_servable(tmp_path / "models", weights=2 << 20))


@pytest.fixture
def built(servable: ServableVersion, base: str, reference: ImageReference, tmp_path: Path) -> BuiltImage:
    return build_image(
        [servable],
        reference,
        base=base,
        engine=None,
        layout=tmp_path / "layout",
        tarball=tmp_path / "image.tar",
        publish=True,
        attest=True,
    )


def test_skopeo_reads_the_registry(
    skopeo: Callable[..., str], built: BuiltImage, base: str, tmp_path: Path
) -> None:
    told: dict[str, Any] = json.loads(skopeo("inspect", f"docker://{built.reference}"))
    assert told["Digest"] == built.digest
    assert told["Labels"][labels.MODEL] == "digits"
    assert told["Labels"][labels.SOURCE] == f"digits/1=sha256:{'a' * 64}"
    assert told["Labels"]["org.opencontainers.image.base.name"] == base
    skopeo("copy", f"docker://{built.reference}", f"dir:{tmp_path / 'copied'}")
    assert len(list((tmp_path / "copied").iterdir())) == 6, "manifest, version, config and three layers"


def test_skopeo_reads_the_layout_and_the_tarball(
    skopeo: Callable[..., str], built: BuiltImage, tmp_path: Path
) -> None:
    layout: dict[str, Any] = json.loads(skopeo("inspect", f"oci:{tmp_path / 'layout'}:1", remote=False))
    assert layout["Digest"] == built.digest
    config = skopeo("inspect", "--config", "--raw", f"docker-archive:{tmp_path / 'image.tar'}", remote=False)
    assert json.loads(config)["config"]["Labels"][labels.VERSIONS] == "1"


@pytest.mark.engine
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_docker_pulls_what_no_engine_pushed(
    engine: Engine, servable: ServableVersion, base: str, reference: ImageReference, compression: str
) -> None:
    built = build_image([servable], reference, base=base, engine=None, publish=True, compression=compression)
    pinned = str(reference.with_digest(str(built.digest)))
    try:
        subprocess.run(["docker", "pull", "-q", pinned], check=True, capture_output=True, timeout=120)
        image = engine.image(pinned)
        assert image is not None
        assert image.id == built.image_id
        assert image.labels[labels.MODEL] == "digits"
    finally:
        engine.remove_image(pinned)
