"""A disk that is full: here, and at the registry's; it is called so, and nothing half-written stays."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures_registry import Registry, running_registry
from image_models import make_servable

from packager.errors import OutputError, RegistryError
from packager.image import build_image, transport
from packager.values import ImageReference, ServableVersion

pytestmark = pytest.mark.registry


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True, check=False
        ).returncode
    )
    if not mounted:
        pytest.skip("a small disk needs the right to mount one (root)")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def servable(registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ServableVersion:
    monkeypatch.setenv("DOCKER_CONFIG", str(registry.docker_config()))
    monkeypatch.setenv("PACKAGER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(transport, "PAUSES", (0.01,))
    return make_servable(tmp_path / "models", weights=9 << 20)


@pytest.mark.parametrize("kind", ["layout", "tarball"])
def test_the_disk_here(
    servable: ServableVersion, base: str, reference: ImageReference, small_disk: Path, kind: str
) -> None:
    options = {kind: small_disk / "image"}
    with pytest.raises(OutputError, match=r"[Nn]o space left on device"):
        build_image([servable], reference, base=base, engine=None, **options)  # type: ignore[arg-type]
    assert list(small_disk.iterdir()) == []


def test_the_registry_s_disk(
    registry: Registry, servable: ServableVersion, base: str, small_disk: Path, tmp_path: Path
) -> None:
    with running_registry(small_disk, tmp_path / "full") as full:
        reference = ImageReference.parse(f"{full}/packager-test/full:1")
        with pytest.raises(RegistryError, match=r"the disk of the registry '127.0.0.1:.*' is full") as caught:
            build_image([servable], reference, base=base, engine=None, publish=True)
        assert caught.value.exit_code == 40
        assert "make room" in str(caught.value.hint)
