"""Pushes through the real engine to a real registry that wants a login."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fixtures_registry import Registry

from packager.engine import Engine, connect
from packager.errors import (
    BaseUnavailableError,
    ImageNotFoundError,
    RegistryAuthError,
    RegistryUnreachableError,
    UsageError,
)
from packager.image.archive import docker_archive
from packager.image.blobs import BlobStore
from packager.image.image import Image
from packager.image.tarball import Entry, tar_stream
from packager.progress import Event
from packager.values import ImageReference

pytestmark = [pytest.mark.engine, pytest.mark.registry]

NewTag = Callable[..., ImageReference]


@pytest.fixture
def tagged(
    engine: Engine, registry: Registry, tiny_image: tuple[Image, BlobStore], new_tag: NewTag
) -> ImageReference:
    """An image in the engine, named for the registry."""
    reference = new_tag(registry.address)
    engine.load(docker_archive(*tiny_image, reference))
    return reference


@pytest.fixture
def unlike_others(
    engine: Engine, registry: Registry, tiny_base: ImageReference, new_tag: NewTag
) -> ImageReference:
    """An image with a layer that no other has, so that its bytes have to be sent."""
    reference = new_tag(registry.address)
    entries = [
        Entry(path="Dockerfile", content=f"FROM {tiny_base}\nCOPY noise /\n".encode(), mode=0o644),
        Entry(path="noise", content=os.urandom(8 << 20), mode=0o644),
    ]
    engine.build(tar_stream(entries), tag=reference, arguments={}, labels={})
    return reference


@contextmanager
def engine_of(monkeypatch: pytest.MonkeyPatch, docker_config: Path) -> Iterator[Engine]:
    monkeypatch.setenv("DOCKER_CONFIG", str(docker_config))
    engine = connect()
    yield engine
    engine.close()


def test_the_digest_is_the_registry_s_own(
    registry: Registry, unlike_others: ImageReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagged, events = unlike_others, list[Event]()
    with engine_of(monkeypatch, registry.docker_config()) as engine:
        pushed = engine.push(tagged, report=events.append)
        assert pushed.digest == registry.digest(tagged.path, str(tagged.tag))
        assert str(pushed.pinned) == f"{tagged.repository}@{pushed.digest}"
        image = engine.image(str(tagged))
    assert image is not None
    assert str(pushed.pinned) in image.repo_digests
    sent = [event for event in events if event.total]
    assert sent
    assert all((event.done or 0) <= (event.total or 0) for event in sent)


def test_what_was_pushed_is_pulled(
    registry: Registry, tagged: ImageReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine_of(monkeypatch, registry.docker_config()) as engine:
        pushed = engine.push(tagged)
        before = engine.image(str(tagged))
        engine.remove_image(str(tagged))
        assert before is not None
        assert engine.pull(tagged).id == before.id
        assert engine.pull(pushed.pinned).id == before.id
        engine.remove_image(str(pushed.pinned))


def test_a_wrong_password_is_refused(
    registry: Registry, tagged: ImageReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        engine_of(monkeypatch, registry.docker_config(password="wrong")) as engine,
        pytest.raises(RegistryAuthError, match="refuses these credentials") as caught,
    ):
        engine.push(tagged)
    assert caught.value.hint == f"docker login {registry.address}"
    assert caught.value.exit_code == 42


def test_no_login_is_refused(
    registry: Registry, tagged: ImageReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        engine_of(monkeypatch, registry.empty_docker_config()) as engine,
        pytest.raises(RegistryAuthError),
    ):
        engine.push(tagged)


def test_a_base_behind_a_login_is_not_obtainable_without_it(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        engine_of(monkeypatch, registry.empty_docker_config()) as engine,
        pytest.raises(BaseUnavailableError, match="wants a login"),
    ):
        engine.pull(ImageReference.parse(f"{registry.address}/packager-test/base:1"))


def test_a_base_that_the_registry_has_not(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        engine_of(monkeypatch, registry.docker_config()) as engine,
        pytest.raises(BaseUnavailableError, match="has no such image"),
    ):
        engine.pull(ImageReference.parse(f"{registry.address}/packager-test/absent:1"))


def test_a_registry_that_is_not_there(
    engine: Engine, tiny_image: tuple[Image, BlobStore], new_tag: NewTag, free_port: int
) -> None:
    reference = new_tag(f"127.0.0.1:{free_port}")
    engine.load(docker_archive(*tiny_image, reference))
    with pytest.raises(RegistryUnreachableError, match=f"'127.0.0.1:{free_port}'") as caught:
        engine.push(reference)
    assert "connection refused" in str(caught.value.details)


def test_a_digest_is_no_tag(engine: Engine, tagged: ImageReference) -> None:
    with pytest.raises(UsageError, match="only a tag"):
        engine.push(tagged.with_digest("sha256:" + "0" * 64))


def test_an_image_that_is_not_there(engine: Engine, registry: Registry) -> None:
    with pytest.raises(ImageNotFoundError, match="packager-test/absent:1"):
        engine.push(ImageReference.parse(f"{registry.address}/packager-test/absent:1"))
