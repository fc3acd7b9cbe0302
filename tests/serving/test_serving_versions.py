"""Versions that come and go while the server runs, and configurations that change."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_server import EmbeddedServer, config_file, serving

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "m").mkdir()
    return tmp_path / "m"


def publish(models: Path, base: Path, version: int) -> None:
    """Let a version appear as a publisher does it: in one step."""
    aside = base.parent / f"incoming{version}"
    shutil.copytree(models / "affine" / str(version), aside)
    aside.rename(base / str(version))


def withdraw(base: Path, version: int) -> None:
    shutil.move(base / str(version), base.parent / f"gone{version}")


def offset(server: EmbeddedServer, path: str = "m") -> float:
    """Ask the model, which adds the number of its version."""
    return float(json.loads(server.ask(f"/v1/models/{path}:predict", '{"inputs": 0}').body)["outputs"])


@pytest.fixture
def server(models: Path, base: Path) -> Iterator[EmbeddedServer]:
    publish(models, base, 1)
    with serving(model_name="m", model_base_path=base, max_num_load_retries=0) as server:
        server.wait_until_ready()
        yield server


def test_a_new_version_takes_over_without_a_gap(server: EmbeddedServer, models: Path, base: Path) -> None:
    answers: list[float] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answers.append(offset(server))

    clients = [threading.Thread(target=ask) for _ in range(3)]
    for client in clients:
        client.start()
    publish(models, base, 2)
    server.wait_for_state("m", 2, "AVAILABLE")
    server.wait_for_state("m", 1, "END")
    assert offset(server) == 2.0
    stop.set()
    for client in clients:
        client.join()
    assert set(answers) == {1.0, 2.0}


def test_removing_the_newest_brings_the_next_back(server: EmbeddedServer, models: Path, base: Path) -> None:
    publish(models, base, 2)
    server.wait_for_state("m", 1, "END")
    withdraw(base, 2)
    server.wait_for_state("m", 2, "END")
    assert server.state("m", 1) == "AVAILABLE"
    assert offset(server) == 1.0


def test_a_broken_version_leaves_the_old_one(server: EmbeddedServer, base: Path) -> None:
    (base / "2").mkdir()
    server.wait_for_state("m", 2, "END")
    status = json.loads(server.ask("/v1/models/m/versions/2").body)["model_version_status"][0]["status"]
    assert status["error_code"] == "NOT_FOUND"
    assert status["error_message"].startswith("Could not find SavedModel .pb or .pbtxt")
    assert server.state("m", 1) == "AVAILABLE"
    assert offset(server) == 1.0


def test_a_version_that_failed_is_not_tried_again_while_its_folder_stays(
    server: EmbeddedServer, models: Path, base: Path
) -> None:
    (base / "2").mkdir()
    server.wait_for_state("m", 2, "END")
    shutil.copytree(models / "affine" / "2", base / "2", dirs_exist_ok=True)
    time.sleep(2.5)  # folders are looked at every second
    assert server.state("m", 2) == "END"
    assert offset(server) == 1.0


def test_removing_all_unloads_all_but_a_vanished_base_path_changes_nothing(
    server: EmbeddedServer, base: Path
) -> None:
    base.rename(base.with_name("elsewhere"))
    server.wait_for_log("Could not find base path")
    assert offset(server) == 1.0
    base.with_name("elsewhere").rename(base)
    withdraw(base, 1)
    server.wait_for_state("m", 1, "END")
    answer = server.predict("m", '{"inputs": 0}')
    assert answer.status == 404
    assert json.loads(answer.body) == {"error": "Servable not found for request: Latest(m)"}
    statuses = json.loads(server.ask("/v1/models/m").body)["model_version_status"]
    assert [(status["version"], status["state"]) for status in statuses] == [("1", "END")]


def test_policies_choose_among_versions(models: Path, tmp_path: Path) -> None:
    base_path = models / "affine"
    config = config_file(
        tmp_path / "models.conf",
        f'name: "latest" base_path: "{base_path}"',
        f'name: "two" base_path: "{base_path}" model_version_policy {{ latest {{ num_versions: 2 }} }}',
        f'name: "some" base_path: "{base_path}" '
        "model_version_policy { specific { versions: 1 versions: 3 versions: 8 } }",
        f'name: "all" base_path: "{base_path}" model_version_policy {{ all {{}} }}',
    )
    with serving(model_config_file=config) as server:
        server.wait_until_ready()
        states = {
            name: [server.state(name, version) for version in (1, 2, 3)]
            for name in ("latest", "two", "some", "all")
        }
        up, never = "AVAILABLE", "HTTP 404"
        assert states == {
            "latest": [never, never, up],
            "two": [never, up, up],
            "some": [up, never, up],
            "all": [up, up, up],
        }
        assert offset(server, "all/versions/1") == 1.0
        assert offset(server, "all") == 3.0
        assert "Version 8 of servable some, which was requested to be served" in server.log()


def test_a_changed_config_file_is_reloaded(models: Path, tmp_path: Path) -> None:
    def model(name: str, more: str = "") -> str:
        return f'name: "{name}" base_path: "{models}/affine" {more}'

    def replace(*fields: str) -> None:
        os.replace(config_file(tmp_path / "next.conf", *fields), config)  # noqa: PTH105 - as clear as can be

    config = config_file(tmp_path / "models.conf", model("a"))
    with serving(model_config_file=config, model_config_file_poll_wait_seconds=1) as server:
        server.wait_until_ready()
        replace(model("a", "model_version_policy { all {} }"), model("b"))
        server.wait_for_state("b", 3, "AVAILABLE")
        server.wait_for_state("a", 1, "AVAILABLE")
        replace(model("a", 'model_version_policy { all {} } version_labels { key: "old" value: 1 }'))
        server.wait_for_state("b", 3, "END")
        assert offset(server, "a/labels/old") == 1.0
        config.write_text("nonsense")
        server.wait_for_log("Failed to read ModelServerConfig file: Invalid protobuf file")
        replace(model("a", 'version_labels { key: "new" value: 9 }'))
        server.wait_for_log(
            "PollFilesystemAndReloadConfig failed to ReloadConfig: Request to assign label to version 9"
        )
        assert offset(server, "a/labels/old") == 1.0


def test_a_label_for_a_version_that_is_not_there_ends_the_start(models: Path, tmp_path: Path) -> None:
    fields = f'name: "m" base_path: "{models}/affine" version_labels {{ key: "stable" value: 3 }}'
    with serving(model_config_file=config_file(tmp_path / "models.conf", fields)) as server:
        assert server.exit_code() == 255
        assert (
            "Failed to start server. Error: FAILED_PRECONDITION: Request to assign label to version 3 "
            "of model m, which is not currently available for inference"
        ) in server.log()


def test_one_model_that_fails_fails_the_start(models: Path, tmp_path: Path) -> None:
    (tmp_path / "broken" / "1").mkdir(parents=True)
    config = config_file(
        tmp_path / "models.conf",
        f'name: "good" base_path: "{models}/affine"',
        f'name: "bad" base_path: "{tmp_path}/broken"',
    )
    with serving(model_config_file=config, max_num_load_retries=0) as server:
        assert server.exit_code() == 255
        assert "UNKNOWN: 1 servable(s) did not become available: {{{name: bad version: 1} due to" in (
            server.log()
        )
