"""Images brought into the real engine: what they are, how they run, and that every way gives the same."""

from __future__ import annotations

import io
import json
import os
import posixpath
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fixtures_engine import tiny_config
from fixtures_registry import Registry

from packager import labels
from packager.engine import Container, ContainerSpec, Engine, EngineImage, connect
from packager.errors import (
    BaseUnavailableError,
    BuildError,
    DigestMismatchError,
    EngineError,
    ImageNotFoundError,
)
from packager.image import build_image, read_layout, rebuild_on_paper, verify_image
from packager.image.archive import docker_archive
from packager.image.blobs import BlobStore
from packager.image.configuration import checked_content
from packager.image.context import WEIGHTS
from packager.image.description import model_layers
from packager.image.image import Image
from packager.image.settings import ENTRYPOINT, PORTS, USER
from packager.progress import silent
from packager.values import SERVER_DEFAULTS, BuiltImage, ImageReference, ServableVersion

pytestmark = pytest.mark.engine

NewTag = Callable[..., ImageReference]


@pytest.fixture
def servables(tmp_path: Path) -> list[ServableVersion]:
    versions = []
    for version in (1, 3):
        path = tmp_path / "models" / "digits" / str(version)
        path.mkdir(parents=True)
        (path / "saved_model.pb").write_bytes(b"graph %d" % version)
        versions.append(ServableVersion(name="digits", version=version, path=path))
    return versions


@pytest.fixture
def built(
    engine: Engine, tiny_base: ImageReference, new_tag: NewTag, servables: list[ServableVersion]
) -> BuiltImage:
    return build_image(
        servables,
        new_tag(),
        base=str(tiny_base),
        engine=engine,
        tensorflow_version="2.20.0",
        labels={"team": "a"},
    )


def described(engine: Engine, built: BuiltImage) -> EngineImage:
    image = engine.image(str(built.reference))
    assert image is not None
    return image


@contextmanager
def running(engine: Engine, built: BuiltImage, **options: object) -> Iterator[Container]:
    spec = ContainerSpec(image=str(built.reference), **options)  # type: ignore[arg-type]
    with engine.container(spec) as container:
        container.start()
        deadline = time.monotonic() + 20
        while "user:" not in container.logs():
            assert time.monotonic() < deadline, container.logs()
            time.sleep(0.05)
        yield container


def test_the_image_keeps_the_contract(engine: Engine, tiny_base: ImageReference, built: BuiltImage) -> None:
    image = described(engine, built)
    assert image.id == built.image_id
    assert image.environment["MODEL_NAME"] == "digits"
    assert image.environment["MODEL_BASE_PATH"] == "/models"
    assert (image.user, image.exposed_ports, image.entrypoint) == (USER, PORTS, ENTRYPOINT)
    assert image.labels == {
        labels.MODEL: "digits",
        labels.VERSIONS: "1,3",
        labels.TENSORFLOW: "2.20.0",
        "org.opencontainers.image.title": "digits",
        "org.opencontainers.image.version": "3",
        "org.opencontainers.image.base.name": str(tiny_base),
        "team": "a",
    }
    base = engine.image(str(tiny_base))
    assert base is not None
    assert (built.base, built.base_kind) == (base.id, "custom")
    assert (built.versions, built.platform, built.size) == ((1, 3), engine.platform, image.size)


def test_the_server_gets_its_arguments_locked_down(engine: Engine, built: BuiltImage) -> None:
    told = "arguments: --port=8500 --rest_api_port=8501 --max_num_load_retries=0"
    told += " --model_name=digits --model_base_path=/models/digits"
    flags = {"TENSORFLOW_SERVING_FLAGS": "--max_num_load_retries=2 --a=*"}
    with running(engine, built, arguments=("--flag=a b", "--other"), environment=flags) as container:
        given = "--max_num_load_retries=2 --a=* --flag=a b --other"
        assert container.logs().splitlines() == [f"{told} {given}", "user: 65532"]
    with running(
        engine, built, environment={"MODEL_NAME": "letters", "MODEL_BASE_PATH": "/other"}
    ) as container:
        assert "--model_name=letters --model_base_path=/other/letters" in container.logs()


def test_a_server_deaf_to_sigterm_is_stopped_at_once_with_its_status(
    engine: Engine, built: BuiltImage
) -> None:
    # The stand-in handles no signal, like TensorFlow Serving: as first process it would never get SIGTERM.
    with running(engine, built) as container:
        began = time.monotonic()
        state = container.stop(timeout=10)
        assert time.monotonic() - began < 3
        assert (state.exit_code, state.running) == (143, False)


def test_the_status_of_a_server_that_dies_is_kept(engine: Engine, built: BuiltImage) -> None:
    with running(engine, built, environment={"DIE_WITH": "9"}) as container:
        deadline = time.monotonic() + 20
        while container.state().running:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert container.state().exit_code == 9


def test_the_model_is_inside_for_everybody_to_read(engine: Engine, built: BuiltImage) -> None:
    with engine.container(ContainerSpec(image=str(built.reference))) as container:
        content = b"".join(container.archive("/models/digits/3/saved_model.pb"))
        assert b"graph 3" in content


def test_a_layout_of_an_engine_s_image_is_that_image(
    engine: Engine,
    tiny_base: ImageReference,
    new_tag: NewTag,
    servables: list[ServableVersion],
    tmp_path: Path,
) -> None:
    layout = tmp_path / "layout"
    built = build_image(servables, new_tag(), base=str(tiny_base), engine=engine, layout=layout)
    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
    assert entry["digest"] == built.digest
    manifest = json.loads((layout / "blobs" / "sha256" / entry["digest"][7:]).read_text())
    assert manifest["config"]["digest"] == built.image_id
    names = {path.name for path in (layout / "blobs" / "sha256").iterdir()}
    parts = [manifest["config"], *manifest["layers"], entry]
    assert names == {part["digest"][7:] for part in parts}


@pytest.mark.registry
def test_every_way_gives_the_same_image(
    engine: Engine,
    registry: Registry,
    tiny_image: tuple[Image, BlobStore],
    new_tag: NewTag,
    servables: list[ServableVersion],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(registry.docker_config()))
    monkeypatch.setenv("PACKAGER_CACHE", str(tmp_path / "cache"))
    digest = registry.upload(*tiny_image, "packager-test/both", "1")
    base = f"{registry.address}/packager-test/both:1"
    published = new_tag(registry.address)
    logged_in = connect()
    try:
        in_engine = build_image(
            servables,
            new_tag(registry.address),
            base=base,
            engine=logged_in,
            layout=tmp_path / "engine",
            publish=True,
        )
        pieces = build_image(
            servables,
            published,
            base=base,
            engine=None,
            layout=tmp_path / "disk",
            tarball=tmp_path / "image.tar",
            publish=True,
        )
    finally:
        logged_in.remove_image(base)
        logged_in.close()
    assert in_engine.base == pieces.base == f"{registry.address}/packager-test/both@{digest}"
    assert in_engine.image_id == pieces.image_id
    assert in_engine.digest == pieces.digest == registry.digest(published.path, str(published.tag))
    assert in_engine.digest == registry.digest(in_engine.reference.path, str(in_engine.reference.tag))
    assert in_engine.digest == read_layout(tmp_path / "engine").digest
    engine.remove_image(in_engine.image_id)
    with (tmp_path / "image.tar").open("rb") as archive:
        engine.load(iter(lambda: archive.read(1 << 20), b""))
    loaded = engine.image(str(published))
    assert loaded is not None
    assert loaded.id == in_engine.image_id


def test_an_image_in_the_engine_is_verified(
    engine: Engine, tiny_base: ImageReference, new_tag: NewTag, servables: list[ServableVersion]
) -> None:
    built = build_image(servables, new_tag(), base=str(tiny_base), engine=engine)
    expected = rebuild_on_paper(servables, built.reference, base=str(tiny_base), engine=engine)
    assert expected.id == built.image_id
    verify_image(expected, built.reference, engine=engine, report=silent)
    fewer = rebuild_on_paper(servables[:1], built.reference, base=str(tiny_base), engine=engine)
    with pytest.raises(DigestMismatchError) as caught:
        verify_image(fewer, built.reference, engine=engine, report=silent)
    told = str(caught.value.details)
    assert "layer 2 (packager: graphs, contracts and settings): " in told
    assert "'1,3'" in told


def test_an_engine_that_loads_no_part_of_an_image_builds_the_same_content(
    engine: Engine,
    tiny_base: ImageReference,
    new_tag: NewTag,
    built: BuiltImage,
    servables: list[ServableVersion],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As ``docker build -f Dockerfile.serving`` would by hand, where weights are no layers of their own."""
    weights = servables[0].path / "variables" / "variables.data-00000-of-00001"
    weights.parent.mkdir()
    weights.write_bytes(os.urandom(2 << 20))

    def refuse(*_: object, **__: object) -> None:
        raise EngineError("no such layer")

    (servables[0].path / "saved_model.pb").write_bytes(b"changed")  # else the engine has the image already
    loaded = build_image(servables, new_tag(), base=str(tiny_base), engine=engine, layout=tmp_path / "loaded")
    engine.remove_image(loaded.image_id)
    monkeypatch.setattr(engine, "load", refuse)
    by_hand = build_image(servables, new_tag(), base=str(tiny_base), engine=engine, layout=tmp_path / "hand")
    assert by_hand.image_id != loaded.image_id
    one, other = (config_of(tmp_path / name) for name in ("loaded", "hand"))
    kept = ("Env", "Entrypoint", "ExposedPorts", "Labels", "User", "StopSignal", "Healthcheck")
    assert {key: one["config"].get(key) for key in kept} == {key: other["config"].get(key) for key in kept}
    assert not one["config"].get("Cmd")
    assert not other["config"].get("Cmd")
    assert len(one["rootfs"]["diff_ids"]) == len(other["rootfs"]["diff_ids"]) + 1, "the layer of the weights"
    served = files_of(tmp_path / "loaded")
    assert served == files_of(tmp_path / "hand")
    assert served["models/digits/1/variables/variables.data-00000-of-00001"][-1] == weights.read_bytes()


def test_a_commit_would_give_another_image_each_time(
    engine: Engine, tiny_base: ImageReference, built: BuiltImage, servables: list[ServableVersion]
) -> None:
    """Why what cannot be loaded is built: files put into a container and committed are no image of ours."""
    import docker

    client = docker.from_env().api
    model = model_layers(checked_content(servables, SERVER_DEFAULTS), silent)
    (layer,) = model.layers
    committed = []
    for _ in range(2):
        container = client.create_container(str(tiny_base))["Id"]
        client.put_archive(container, "/", b"".join(model.chunks(layer.blob)))
        committed.append(client.inspect_image(client.commit(container)["Id"]))
        client.remove_container(container)
    for image in committed:
        client.remove_image(image["Id"])
    client.close()
    own = described(engine, built)
    assert own.layers[-1] == layer.diff_id
    assert all(image["RootFS"]["Layers"][-1] != layer.diff_id for image in committed), "the engine's own tar"
    assert len({own.id, *(image["Id"] for image in committed)}) == 3, "each tells its time and container"


def config_of(layout: Path) -> dict[str, Any]:
    return read_layout(layout).image.config


def files_of(layout: Path) -> dict[str, tuple[int, int, bytes]]:
    """Files of the models by name: mode, owner and content, whatever the layers; links are followed."""
    packed = read_layout(layout)
    files, links = {}, {}
    for layer in packed.image.layers:
        content = b"".join(packed.blobs.chunks(layer.blob))
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                if member.name.startswith("models/") and member.issym():
                    links[member.name] = posixpath.join(posixpath.dirname(member.name), member.linkname)
                elif member.name.startswith("models/"):
                    file = archive.extractfile(member)
                    files[member.name] = (member.mode & 0o777, member.uid, file.read() if file else b"")
    followed = files | {name: files[posixpath.normpath(target)] for name, target in links.items()}
    return {name: file for name, file in followed.items() if not name.startswith(f"models/{WEIGHTS}")}


def test_a_base_for_another_machine_is_refused(
    engine: Engine, tiny_image: tuple[Image, BlobStore], new_tag: NewTag, servables: list[ServableVersion]
) -> None:
    image, blobs = tiny_image
    foreign, base = (
        Image(config_document=tiny_config(image.layers[0], "s390x"), layers=image.layers),
        new_tag(),
    )
    engine.load(docker_archive(foreign, blobs, base))
    with pytest.raises(BaseUnavailableError, match=r"is for linux/s390x, and this engine runs linux/"):
        build_image(servables, new_tag(), base=str(base), engine=engine)


def test_a_base_that_cannot_be_had_leaves_nothing(
    engine: Engine, new_tag: NewTag, servables: list[ServableVersion]
) -> None:
    tag = new_tag()
    with pytest.raises(BaseUnavailableError, match=r"registry\.invalid/base:1"):
        build_image(servables, tag, base="registry.invalid/base:1", engine=engine)
    assert engine.image(str(tag)) is None


def test_a_model_that_is_none_is_named_before_anything_runs(
    engine: Engine, new_tag: NewTag, tmp_path: Path
) -> None:
    absent = ServableVersion(name="digits", version=1, path=tmp_path / "digits" / "1")
    with pytest.raises(ImageNotFoundError, match="no SavedModel"):
        build_image([absent], new_tag(), base="registry.invalid/base:1", engine=engine)


def test_a_model_file_that_is_gone_in_the_middle_is_the_model_s_fault(
    engine: Engine, tiny_base: ImageReference, new_tag: NewTag, servables: list[ServableVersion]
) -> None:
    (servables[0].path / "dangling").symlink_to("nowhere")
    tag = new_tag()
    with pytest.raises(BuildError, match="dangling"):
        build_image(servables, tag, base=str(tiny_base), engine=engine)
    assert engine.image(str(tag)) is None
