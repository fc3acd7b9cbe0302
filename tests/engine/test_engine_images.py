"""Images in the real engine: found, loaded, saved, built, and removed without a trace when that fails."""

from __future__ import annotations

import io
import json
import secrets
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from fixtures_engine import TINY_ENVIRONMENT

from packager.engine import Engine
from packager.errors import BaseUnavailableError, BuildError, EngineError, ImageNotFoundError
from packager.image.archive import docker_archive
from packager.image.blobs import BlobStore
from packager.image.image import Image
from packager.image.tarball import Entry, tar_stream
from packager.progress import Event, Level
from packager.values import ImageReference

pytestmark = pytest.mark.engine

NewTag = Callable[..., ImageReference]


def context(dockerfile: str, *entries: Entry) -> Iterator[bytes]:
    return tar_stream([Entry(path="Dockerfile", content=dockerfile.encode()), *entries])


@pytest.fixture
def mark() -> str:
    """A label that the images of one test have, and no others."""
    return f"packager-test-{secrets.token_hex(4)}"


def marked(mark: str) -> list[str]:
    """Every container and image with that label, unnamed images included."""
    client = docker.from_env()
    try:
        found = {"filters": {"label": mark}, "all": True}
        return [str(thing.id) for kind in (client.containers, client.images) for thing in kind.list(**found)]
    finally:
        client.close()


def test_the_engine_tells_what_it_is(engine: Engine) -> None:
    about = docker.from_env().version()
    assert engine.version == about["Version"]
    assert engine.platform == f"linux/{about['Arch']}"


def test_an_image_is_described(
    engine: Engine, tiny_base: ImageReference, tiny_image: tuple[Image, BlobStore]
) -> None:
    image = engine.image(str(tiny_base))
    assert image is not None
    assert image.platform == engine.platform
    assert [f"{name}={value}" for name, value in image.environment.items()] == TINY_ENVIRONMENT
    assert str(tiny_base) in image.tags
    assert (image.repo_digests, image.labels, image.user, image.exposed_ports) == ((), {}, "", ())
    assert image.size > 1_000_000
    assert engine.image(image.id) == image
    assert engine.image("packager-test/absent:1") is None


def test_what_was_loaded_is_saved_again(engine: Engine, tiny_base: ImageReference) -> None:
    with tarfile.open(fileobj=io.BytesIO(b"".join(engine.save(str(tiny_base))))) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        assert json.load(manifest)[0]["RepoTags"] == [str(tiny_base)]


def test_what_is_not_there_cannot_be_saved(engine: Engine) -> None:
    with pytest.raises(ImageNotFoundError, match="packager-test/absent:1"):
        b"".join(engine.save("packager-test/absent:1"))


def test_an_archive_that_is_none_is_refused(engine: Engine) -> None:
    with pytest.raises(EngineError, match="failed while loading the image"):
        engine.load([b"this is no tar stream" * 100])


def test_a_load_tells_its_bytes(engine: Engine, tiny_image: tuple[Image, BlobStore], new_tag: NewTag) -> None:
    events: list[Event] = []
    archive = list(docker_archive(*tiny_image, new_tag()))
    engine.load(archive, report=events.append)
    assert events[-1].done == sum(map(len, archive))


def test_a_build_gets_arguments_and_labels_and_tells_its_steps(
    engine: Engine, tiny_base: ImageReference, new_tag: NewTag
) -> None:
    tag, events = new_tag(), list[Event]()
    image = engine.build(
        context(
            f"ARG NAME=nobody\nFROM {tiny_base}\nARG NAME\nENV NAME=$NAME\nCOPY a /\n",
            Entry(path="a", content=b"1"),
        ),
        tag=tag,
        arguments={"NAME": "ada"},
        labels={"colour": "red"},
        report=events.append,
    )
    assert image.environment["NAME"] == "ada"
    assert image.labels == {"colour": "red"}
    assert str(tag) in image.tags
    steps = [e.text for e in events if e.level is Level.PROGRESS and e.text.startswith("Step ")]
    assert steps[0].startswith("Step 1/")
    assert any(e.done for e in events)


def test_a_step_that_fails_shows_the_log_and_leaves_nothing(
    engine: Engine, tiny_base: ImageReference, new_tag: NewTag, mark: str
) -> None:
    script = f"FROM {tiny_base}\nLABEL {mark}=1\nRUN echo on the way && exit 9\n"
    with pytest.raises(BuildError, match="returned a non-zero code: 9") as caught:
        engine.build(context(script), tag=new_tag(), arguments={}, labels={})
    assert "on the way" in str(caught.value.details)
    assert marked(mark) == []
    assert engine.image(str(tiny_base)) is not None


def test_a_file_of_ours_that_cannot_be_read_is_not_the_engine_s_fault(
    engine: Engine, tiny_base: ImageReference, new_tag: NewTag, mark: str
) -> None:
    def broken() -> Iterator[bytes]:
        yield from context(f"FROM {tiny_base}\nLABEL {mark}=1\n")
        raise BuildError("cannot read 'weights': Input/output error")

    with pytest.raises(BuildError, match="cannot read 'weights'"):
        engine.build(broken(), tag=new_tag(), arguments={}, labels={})
    assert marked(mark) == []


INTERRUPTED = """
import sys
from packager.engine import connect
from packager.image.tarball import Entry, tar_stream
from packager.values import ImageReference

context = tar_stream([Entry(path="Dockerfile", content=sys.argv[1].encode())])
tag = ImageReference.parse(sys.argv[2])
connect().build(context, tag=tag, arguments={}, labels={}, report=lambda event: print(event.text, flush=True))
"""


def test_an_interrupted_build_leaves_nothing(tiny_base: ImageReference, new_tag: NewTag, mark: str) -> None:
    script = f"FROM {tiny_base}\nLABEL {mark}=1\nRUN sleep 60\n"
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, script, str(new_tag())],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert any("RUN sleep" in line for line in process.stdout)
        assert "Running in" in next(process.stdout)
        assert len(marked(mark)) == 2
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert marked(mark) == []


def test_a_base_that_cannot_be_pulled_is_told_with_a_way_out(engine: Engine) -> None:
    reference = ImageReference.parse("registry.invalid/base:1")
    with pytest.raises(BaseUnavailableError, match="cannot be had: its registry cannot be reached") as caught:
        engine.pull(reference)
    assert "--base embedded" in str(caught.value.hint)


def test_removing_twice_is_no_error(
    engine: Engine, tiny_image: tuple[Image, BlobStore], new_tag: NewTag
) -> None:
    tag = new_tag()
    engine.load(docker_archive(*tiny_image, tag))
    engine.remove_image(str(tag))
    engine.remove_image(str(tag))
    assert engine.image(str(tag)) is None


SENT = """
import resource, sys
from pathlib import Path
from packager.engine import connect
from packager.image.tarball import Entry, tar_stream
from packager.values import ImageReference

dockerfile = Entry(path="Dockerfile", content=sys.argv[1].encode())
entries = [dockerfile, Entry(path="big", source=Path(sys.argv[3]))]
engine = connect()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
engine.build(tar_stream(entries), tag=ImageReference.parse(sys.argv[2]), arguments={}, labels={})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_stays_flat_while_a_big_context_is_sent(
    tiny_base: ImageReference, new_tag: NewTag, tmp_path: Path
) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(300 << 20)
    command = [sys.executable, "-c", SENT, f"FROM {tiny_base}\n", str(new_tag()), str(big)]
    grown = int(subprocess.check_output(command, text=True))
    assert grown < 20_000, "kilobytes, for a context of 300 MB"
