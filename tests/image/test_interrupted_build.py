"""Ctrl-C at any moment of a build or push leaves no container, no image, no tag, and no file half-made."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from fixtures_registry import Registry
from image_models import make_servable

from packager.engine import Engine
from packager.values import ImageReference

pytestmark = [pytest.mark.engine, pytest.mark.registry]

WEIGHTS = 100 << 20


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_servable(tmp_path / "models", weights=WEIGHTS).path.parent


def interrupted(command: list[str], moment: str, cwd: Path, **environment: str) -> str:
    """Run the command, interrupt it when it tells of ``moment``, and return all that it wrote."""
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    told = ""
    for line in process.stderr:
        told += line
        if moment in line:
            process.send_signal(signal.SIGINT)
            break
    told += process.stderr.read()
    assert process.wait(timeout=60) == 130, told
    assert "Traceback" not in told
    return told


def everything(engine: Engine) -> tuple[set[str], set[str]]:
    import docker

    client = docker.from_env().api
    containers = {c["Id"] for c in client.containers(all=True)}
    dangling = {image["Id"] for image in client.images(filters={"dangling": True})}
    client.close()
    return containers, dangling


@pytest.mark.parametrize("moment", ["reading the weights", "reading the model", "loading the image"])
def test_a_build_into_the_engine(
    command: list[str],
    engine: Engine,
    tiny_base: ImageReference,
    new_tag: Callable[..., ImageReference],
    model: Path,
    tmp_path: Path,
    environment: dict[str, str],
    moment: str,
) -> None:
    tag = new_tag()
    containers, dangling = everything(engine)
    build = [*command, "build", str(model), "-t", str(tag), "--base", str(tiny_base), "--engine", "docker"]
    interrupted(build, moment, tmp_path, **environment)
    assert engine.image(str(tag)) is None
    after = everything(engine)
    assert after[0] <= containers
    assert after[1] <= dangling
    assert {path.name for path in tmp_path.iterdir()} <= {"models", "cache"}
    assert not list((tmp_path / "cache").glob(".*"))


@pytest.mark.parametrize("moment", ["reading the model", "pushing", "attaching"])
def test_a_push_without_an_engine(
    command: list[str],
    registry: Registry,
    base: str,
    reference: ImageReference,
    model: Path,
    tmp_path: Path,
    environment: dict[str, str],
    moment: str,
) -> None:
    build = [
        *command,
        "build",
        str(model),
        "-t",
        str(reference),
        "--base",
        base,
        "--engine",
        "none",
        "--push",
    ]
    interrupted(build, moment, tmp_path, **environment)
    answer = requests.get(
        f"http://{registry.address}/v2/{reference.path}/manifests/{reference.tag}",
        auth=(registry.username, registry.password),
        timeout=10,
    )
    assert answer.status_code == 404, "no tag"
    assert not list((tmp_path / "cache").glob(".*"))


@pytest.mark.parametrize(
    ("option", "moment"), [("--oci-layout", "writing the image layout"), ("--tarball", "writing 'out")]
)
def test_a_file_or_folder(
    command: list[str],
    base: str,
    reference: ImageReference,
    model: Path,
    tmp_path: Path,
    environment: dict[str, str],
    option: str,
    moment: str,
) -> None:
    build = [*command, "build", str(model), "-t", str(reference), "--base", base, "--engine", "none"]
    interrupted([*build, option, "out"], moment, tmp_path, **environment)
    assert {path.name for path in tmp_path.iterdir()} <= {"models", "cache"}
    assert not list((tmp_path / "cache").glob(".*"))


@pytest.fixture
def environment(registry: Registry, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "DOCKER_CONFIG": str(registry.docker_config()),
        "PACKAGER_CACHE": str(tmp_path / "cache"),
        "NO_COLOR": "1",
    }
