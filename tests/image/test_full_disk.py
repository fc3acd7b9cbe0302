"""A disk that is full: here, and at the registry's; it is called so, and nothing half-written stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fixtures_registry import Registry, running_registry
from image_models import make_servable

from packager.engine import Engine, connect
from packager.errors import EngineError, EngineFullError, EngineUnavailableError, OutputError, RegistryError
from packager.image import build_image, transport
from packager.image.archive import docker_archive
from packager.image.blobs import BlobStore
from packager.image.image import Image
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


@pytest.fixture
def small_engine(
    tiny_image: tuple[Image, BlobStore], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Engine, ImageReference]]:
    """An engine of its own on a disk of 64 MB, with the tiny base in it.

    It has a network of its own and its own view of mounts, so that the engine of this machine never notices.
    """
    if os.geteuid() or not (shutil.which("dockerd") and shutil.which("unshare")):
        pytest.skip("an engine of its own needs dockerd and root")
    folder = Path(tempfile.mkdtemp(prefix="engine-"))  # a socket's path must be short
    address = f"unix://{folder}/socket"
    monkeypatch.setenv("DOCKER_HOST", address)
    places = f"--data-root {folder}/data --exec-root {folder}/exec --pidfile {folder}/pid --host {address}"
    script = f"""
        mkdir -p {folder}/data /run/containerd
        mount -t tmpfs tmpfs /run/containerd
        mount -t tmpfs -o size=64m tmpfs {folder}/data
        exec dockerd {places} --bridge none --iptables=false --ip6tables=false --ip-forward=false
    """
    separate = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-ec", script]
    with (folder / "log").open("wb") as log, subprocess.Popen(separate, stdout=log, stderr=log) as process:
        try:
            engine = _connected(process, folder / "log")
            with closing(engine):
                base = ImageReference.parse("packager-test/tiny:1")
                engine.load(docker_archive(*tiny_image, base))
                yield engine, base
        finally:
            process.terminate()
            process.wait(30)
            shutil.rmtree(folder)


def _connected(process: subprocess.Popen[bytes], log: Path) -> Engine:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            return connect(timeout=60)
        except EngineUnavailableError:
            time.sleep(0.2)
    pytest.skip(f"no engine of its own starts here: {log.read_text()[-500:]}")


@pytest.mark.engine
def test_the_engine_s_disk(
    small_engine: tuple[Engine, ImageReference],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    import docker

    engine, base = small_engine
    servable = make_servable(tmp_path / "models", weights=80 << 20)
    tag = ImageReference.parse("packager-test/full:1")

    def refuse(*_: object, **__: object) -> None:
        raise EngineError("no such layer")

    for doing in ("loading the image", "building 'packager-test/full:1'"):
        with pytest.raises(
            EngineFullError, match=f"the engine's disk is full, found while {doing}"
        ) as caught:
            build_image([servable], tag, base=str(base), engine=engine)
        assert caught.value.exit_code == 26
        assert "docker system df" in str(caught.value.hint)
        monkeypatch.setattr(engine, "load", refuse)  # then it has to build
    with closing(docker.from_env().api) as client:
        assert [image["RepoTags"] for image in client.images(all=True)] == [[str(base)]]
        assert client.containers(all=True) == []
