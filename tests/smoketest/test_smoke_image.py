"""Smoke tests of images in the real engine, with stand-ins for servers that fail in every way."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest
from causes import NO_IMAGE, PORT_TAKEN, found

from packager.engine import Engine
from packager.errors import (
    ImageNotFoundError,
    NotReadyError,
    ServableLoadError,
    ServerStartError,
    SmokeError,
)
from packager.image.tarball import Entry, tar_stream, with_parents
from packager.smoketest import smoke_image
from packager.smoketest.smoke import RUN_LABEL
from packager.values import ImageReference

pytestmark = pytest.mark.engine

NEVER_READY = "echo 'reading 9 GB of weights'; exec sleep 600"
MakeImage = Callable[..., ImageReference]


@pytest.fixture
def serving(
    engine: Engine, tiny_base: ImageReference, new_tag: Callable[..., ImageReference], contract_files: Path
) -> Iterator[MakeImage]:
    """Builds an image whose entry point is a shell script, around one version of the model ``m``.

    Afterwards no container of such an image may be there, however the test went.
    """
    made: list[ImageReference] = []

    def make(
        script: str, *, entry_point: Iterable[str] = ("sh", "-c"), contract: bool = True
    ) -> ImageReference:
        dockerfile = (
            f"FROM {tiny_base}\nCOPY models /models\nENV MODEL_NAME=m\n"
            f"ENTRYPOINT {json.dumps([*entry_point, script, 'server'])}\n"
        )
        files = [path for path in contract_files.rglob("*") if path.is_file()] if contract else []
        entries = [
            Entry(path="Dockerfile", content=dockerfile.encode(), mode=0o644),
            Entry(path="models/m/1/saved_model.pb", content=b"", mode=0o644),
            *(
                Entry(path=f"models/m/1/{path.relative_to(contract_files)}", source=path, mode=0o644)
                for path in files
            ),
        ]
        made.append(new_tag())
        engine.build(tar_stream(with_parents(entries)), tag=made[-1], arguments={}, labels={})
        return made[-1]

    yield make
    with closing(docker.from_env()) as client:
        assert not client.networks.list(filters={"label": RUN_LABEL})
        assert [client.containers.list(all=True, filters={"ancestor": str(tag)}) for tag in made] == [
            []
        ] * len(made)


def test_a_server_that_dies_at_start_is_told_with_its_exit_code_and_log(engine: Engine, serving: MakeImage):
    image = serving("echo starting; echo 'error: no licence for this processor' >&2; exit 3")
    with pytest.raises(ServerStartError, match=r"ended before it was ready: exit code 3$") as caught:
        smoke_image(engine, image)
    assert caught.value.exit_code == 31
    assert "no licence for this processor" in caught.value.details


def test_an_image_of_root_runs_as_somebody_else(engine: Engine, serving: MakeImage):
    ids = "while read key id _; do [ $key = Uid: ] && echo uid $id; done </proc/self/status; exit 3"
    with pytest.raises(ServerStartError) as raised:
        smoke_image(engine, serving(ids))
    assert "uid 65532" in (raised.value.details or "")


def test_an_entry_point_that_is_not_there_is_told_in_the_engine_s_words(engine: Engine, serving: MakeImage):
    with pytest.raises(ServerStartError, match="/usr/bin/no-such-server"):
        smoke_image(engine, serving("", entry_point=["/usr/bin/no-such-server"]))


def test_a_server_that_never_gets_ready_is_given_up_in_time(engine: Engine, serving: MakeImage):
    began = time.monotonic()
    told: list[str] = []
    with pytest.raises(NotReadyError, match=r"not ready after 2 s.*reading 9 GB of weights") as caught:
        smoke_image(engine, serving(NEVER_READY), timeout=2, report=lambda event: told.append(event.text))
    assert time.monotonic() - began < 15
    assert "reading 9 GB of weights" in caught.value.details
    assert any("waiting for" in text and "reading 9 GB" in text for text in told)


@pytest.mark.parametrize(
    "warning",
    [
        "No versions of servable m found under base path /models/m. Did you forget …",
        "Could not find base path /models/m for servable m with error NOT_FOUND: /models/m not found",
    ],
)
def test_a_server_that_warns_for_ever_fails_in_seconds(engine: Engine, serving: MakeImage, warning: str):
    began = time.monotonic()
    with pytest.raises(ServableLoadError) as caught:
        smoke_image(engine, serving(f"while :; do echo 'W x.cc:268] {warning}'; sleep 1; done"), timeout=120)
    assert warning in str(caught.value)
    assert caught.value.exit_code == 33
    assert time.monotonic() - began < 15


def test_a_server_that_cannot_load_the_model_is_told_in_its_own_words(engine: Engine, serving: MakeImage):
    line = "E x.cc:46] Loading servable: {name: m version: 1} failed: NOT_FOUND: Op type not registered 'X'"
    with pytest.raises(ServableLoadError, match="Op type not registered 'X'") as caught:
        smoke_image(engine, serving(f'echo "{line}"; exec sleep 600'))
    assert "--base" in caught.value.hint


def test_the_server_is_asked_to_load_once(engine: Engine, serving: MakeImage):
    with pytest.raises(ServerStartError) as caught:
        smoke_image(engine, serving('echo "flags: $*"; exit 1'))
    assert "flags: --max_num_load_retries=0" in caught.value.details


def test_a_taken_port_is_told_by_its_number(engine: Engine, serving: MakeImage):
    image = serving(NEVER_READY)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with found(PORT_TAKEN) as timeline:
            smoke_image(engine, image, port=port, timeline=timeline)


def test_an_image_that_is_not_there_is_named(engine: Engine):
    with found(NO_IMAGE) as timeline:
        smoke_image(engine, ImageReference.parse("packager-test/absent:1"), timeline=timeline)


def test_a_version_that_the_image_does_not_hold_is_named(engine: Engine, serving: MakeImage):
    with pytest.raises(ImageNotFoundError, match="no version 7") as caught:
        smoke_image(engine, serving(NEVER_READY), version=7)
    assert "--version 1" in caught.value.hint


def test_an_image_without_contract_says_so_before_it_is_run(engine: Engine, serving: MakeImage):
    with pytest.raises(SmokeError, match="no contract in '/models/m/1'"):
        smoke_image(engine, serving(NEVER_READY, contract=False))


@pytest.mark.parametrize("moment", ["creating a container", "starting the container", "9 GB"])
def test_ctrl_c_leaves_no_container(engine: Engine, serving: MakeImage, moment: str):
    script = (
        "from packager.engine import connect\n"
        "from packager.smoketest import smoke_image\n"
        "from packager.values import ImageReference\n"
        f"reference = ImageReference.parse({str(serving(NEVER_READY))!r})\n"
        "smoke_image(connect(), reference, report=lambda event: print(event.text, flush=True))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert any(moment in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    _, traceback = process.communicate(timeout=30)
    assert traceback.rstrip().endswith("KeyboardInterrupt")
