"""Images as targets, in the engine and in a registry: nothing of them is run, and no weights are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures_command import Run
from fixtures_contract import contract, write_graph
from fixtures_registry import Registry

from packager import interface, labels
from packager.contract import contract_digest, write_contract
from packager.engine import Engine
from packager.errors import ImageNotFoundError, RegistryError, UsageError
from packager.image import build_image
from packager.image.blobs import BlobStore
from packager.image.image import Image
from packager.targets import resolve
from packager.values import ImageReference, ServableVersion

NewTag = Callable[..., ImageReference]


@pytest.fixture
def servables(tmp_path: Path) -> list[ServableVersion]:
    """Version 1 without a contract, version 2 with one."""
    base = tmp_path / "models" / "m"
    for version in (1, 2):
        write_graph(base / str(version))
    write_contract(contract(), base / "2")
    return [ServableVersion(name="m", version=n, path=base / str(n)) for n in (1, 2)]


@pytest.mark.engine
def test_an_image_in_the_engine_is_a_target(
    engine: Engine,
    tiny_base: ImageReference,
    new_tag: NewTag,
    servables: list[ServableVersion],
    packager: Run,
) -> None:
    tag = new_tag()
    build_image(servables, tag, base=str(tiny_base), engine=engine)
    found = resolve(str(tag))
    assert (found.kind, found.model, found.version, found.recorded) == ("image", "m", 2, True)
    assert found.contract.signatures == contract().signatures
    assert not resolve(str(tag), version=1).recorded
    image = engine.image(str(tag))
    assert image is not None
    assert image.labels[labels.CONTRACTS] == f"none,{contract_digest(servables[1].path)}"
    assert found.base == str(tiny_base)
    assert packager("audit", tag, "--json").json["server"] == str(tiny_base)
    done = packager("inspect", tag, "--json")
    assert (done.code, done.json["kind"]) == (0, "image"), done.err
    assert done.json["signatures"][0]["inputs"][0]["name"] == "a/b"
    assert packager("diff", tag, servables[1].path).code == 0
    assert packager("diff", tag, servables[0].path).code == 19
    with pytest.raises(ImageNotFoundError, match="no version 7"):
        resolve(str(tag), version=7)


@pytest.mark.registry
def test_an_image_in_a_registry_is_a_target(
    registry: Registry,
    tiny_image: tuple[Image, BlobStore],
    servables: list[ServableVersion],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(registry.docker_config()))
    monkeypatch.setenv("PACKAGER_CACHE", str(tmp_path / "cache"))
    registry.upload(*tiny_image, "packager-test/base", "1")
    tag = ImageReference.parse(f"{registry.address}/packager-test/target:1")
    build_image(servables, tag, base=f"{registry.address}/packager-test/base:1", engine=None, publish=True)
    found = resolve(str(tag))
    assert (found.kind, found.model, found.version, found.recorded) == ("registry", "m", 2, True)
    assert interface.diff(str(tag), servables[1].path).changes == ()
    with pytest.raises(RegistryError, match="nothing-here"):
        resolve(f"{registry.address}/packager-test/nothing-here:1")


@pytest.mark.registry
def test_one_of_several_models_is_chosen_by_name(
    registry: Registry,
    tiny_image: tuple[Image, BlobStore],
    servables: list[ServableVersion],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    packager: Run,
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(registry.docker_config()))
    monkeypatch.setenv("PACKAGER_CACHE", str(tmp_path / "cache"))
    registry.upload(*tiny_image, "packager-test/base", "1")
    tag = ImageReference.parse(f"{registry.address}/packager-test/several:1")
    other = tmp_path / "models" / "other" / "7"
    write_graph(other)
    several = [*servables, ServableVersion(name="other", version=7, path=other)]
    layout = tmp_path / "layout"
    base = f"{registry.address}/packager-test/base:1"
    build_image(several, tag, base=base, engine=None, publish=True, layout=layout)
    for target in (str(tag), str(layout)):
        with pytest.raises(UsageError, match="serves several models: it has 'm', 'other'") as caught:
            resolve(target)
        assert caught.value.hint == "--model m"
        with pytest.raises(UsageError, match="serves no model 'z': it has 'm', 'other'"):
            resolve(target, model="z")
        found = [resolve(target, model=name) for name in ("m", "other")]
        assert [(f.model, f.version, f.recorded) for f in found] == [("m", 2, True), ("other", 7, False)]
        assert resolve(target, model="m", version=1).version == 1
    document = packager("openapi", layout, "--model", "m", "--json")
    assert document.code == 0, document.err
    assert any("/v1/models/m" in path for path in document.json["paths"])
    assert packager("diff", layout, servables[1].path, "--model", "m").code == 0
    assert packager("inspect", layout, "--model", "other", "--json").json["version"] == 7
    assert packager("audit", layout).code == 2


@pytest.mark.engine
def test_one_of_several_models_in_the_engine(
    engine: Engine,
    tiny_base: ImageReference,
    new_tag: NewTag,
    servables: list[ServableVersion],
    tmp_path: Path,
) -> None:
    other = tmp_path / "models" / "other" / "7"
    write_graph(other)
    tag = new_tag()
    several = [*servables, ServableVersion(name="other", version=7, path=other)]
    build_image(several, tag, base=str(tiny_base), engine=engine)
    assert resolve(str(tag), model="m").contract.signatures == contract().signatures
    assert (resolve(str(tag), model="other").version, resolve(str(tag), model="m").version) == (7, 2)
    with pytest.raises(UsageError, match="serves several models"):
        resolve(str(tag))
