"""Blobs, image documents, layouts and docker archives."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import resource
import tarfile
from pathlib import Path

import pytest

from packager.errors import DigestMismatchError, ImageNotFoundError, OutputError, UsageError
from packager.image.archive import docker_archive, read_docker_archive
from packager.image.blobs import Blob, BlobStore
from packager.image.image import (
    LAYER,
    Image,
    Layer,
    PackedImage,
    config_upon,
    document,
    source_date,
    timestamp,
)
from packager.image.layout import new_layout, read_layout, write_layout
from packager.image.tarball import Entry, tar_stream
from packager.progress import silent
from packager.values import ImageReference

REFERENCE = ImageReference.parse("r.example.com/digits:7")


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


@pytest.fixture
def image(blobs: BlobStore) -> Image:
    layers = tuple(
        Layer.uncompressed(blobs.add(tar_stream([Entry(path=name, content=name.encode())])))
        for name in ("lower", "upper")
    )
    config = {
        "os": "linux",
        "architecture": "arm64",
        "config": {"Env": ["PATH=/bin", "KEPT=1"], "Labels": {"a": "1", "b": "1"}, "Cmd": ["run"]},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
    }
    return Image(config_document=document(config), layers=layers)


def packed_image(image: Image, blobs: BlobStore, annotations: dict[str, str]) -> PackedImage:
    return PackedImage(image=image, manifest=image.manifest_document(annotations), blobs=blobs)


def test_a_blob_is_named_by_its_content(blobs: BlobStore) -> None:
    blob = blobs.add([b"one", b"two"])
    assert blob == Blob(digest=sha256(b"onetwo"), size=6)
    assert blobs.path(blob.digest).read_bytes() == b"onetwo"
    assert blobs.has(blob)
    assert not blobs.has(Blob(digest=blob.digest, size=7))


def test_a_blob_with_other_content_is_not_kept(blobs: BlobStore) -> None:
    with pytest.raises(DigestMismatchError):
        blobs.add([b"other"], expected=sha256(b"expected"))
    assert list(blobs.folder.iterdir()) == []


def test_a_blob_that_breaks_off_is_not_kept(blobs: BlobStore) -> None:
    def chunks():  # type: ignore[no-untyped-def]
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        blobs.add(chunks())
    assert list(blobs.folder.iterdir()) == []


def test_a_blob_that_cannot_be_written_is_not_kept(blobs: BlobStore) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot write to .*: File too large"):
            blobs.add([bytes(500), bytes(1000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(blobs.folder.iterdir()) == []


def test_settings_lie_over_those_of_the_base(image: Image) -> None:
    settings = {
        "Env": ["PATH=/usr/bin", "NEW=2"],
        "Labels": {"b": "2"},
        "ExposedPorts": {"8501/tcp": {}},
        "Cmd": None,
        "User": "65532",
    }
    layers = [(sha256(b"model"), "added")]
    text = config_upon(image.config, layers, settings=settings, created="2024-01-01T00:00:00Z")
    config = json.loads(text)
    assert config["config"] == {
        "Env": ["PATH=/usr/bin", "KEPT=1", "NEW=2"],
        "Labels": {"a": "1", "b": "2"},
        "ExposedPorts": {"8501/tcp": {}},
        "User": "65532",
    }
    assert config["rootfs"]["diff_ids"] == [*image.config["rootfs"]["diff_ids"], sha256(b"model")]
    assert [entry["created_by"] for entry in config["history"]] == [*["layer of the base"] * 2, "added"]
    assert (config["os"], config["architecture"]) == ("linux", "arm64")


def test_a_config_is_the_same_from_an_engine_s_words(image: Image) -> None:
    """Engines add empty settings of their own, and tell no history."""
    base = image.config
    told = {**base, "variant": "", "config": {"Hostname": "", "OnBuild": None, "User": "", **base["config"]}}
    base["history"] = [{"created": "2020-01-01T00:00:00Z"}]
    one, other = (
        config_upon(config, [], settings={"User": "1"}, created="2024-01-01T00:00:00Z")
        for config in (base, told)
    )
    assert one == other


def test_a_layout_is_one_by_its_specification(image: Image, blobs: BlobStore, tmp_path: Path) -> None:
    place = tmp_path / "new" / "layout"
    with new_layout(place) as layout:
        for layer in image.layers:
            layout.blobs.copy(layer.blob, blobs)
        packed = packed_image(image, blobs, {"title": "digits"})
        layout.finish(packed, REFERENCE)
        assert not place.exists(), "nothing is there before it is whole"
    assert json.loads((place / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads((place / "index.json").read_text())["manifests"]
    assert (entry["digest"], entry["size"]) == (packed.digest, len(packed.manifest))
    assert entry["platform"] == {"os": "linux", "architecture": "arm64"}
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == "7"
    for path in (place / "blobs" / "sha256").iterdir():
        assert sha256(path.read_bytes()) == f"sha256:{path.name}"

    def content(descriptor: dict[str, str]) -> bytes:
        return (place / "blobs" / "sha256" / descriptor["digest"].removeprefix("sha256:")).read_bytes()

    manifest = json.loads(content(entry))
    assert manifest["annotations"] == {"title": "digits"}
    assert content(manifest["config"]) == image.config_document
    assert [layer["digest"] for layer in manifest["layers"]] == [layer.blob.digest for layer in image.layers]
    assert {layer["mediaType"] for layer in manifest["layers"]} == {LAYER}


def test_a_layout_is_read_as_it_was_written(image: Image, blobs: BlobStore, tmp_path: Path) -> None:
    packed = packed_image(image, blobs, {"title": "digits"})
    write_layout(tmp_path / "layout", packed, REFERENCE, report=silent)
    read = read_layout(tmp_path / "layout")
    assert (read.image, read.manifest) == (packed.image, packed.manifest)
    for layer in image.layers:
        assert b"".join(read.blobs.chunks(layer.blob)) == blobs.path(layer.blob.digest).read_bytes()
    (tmp_path / "layout" / "index.json").write_text('{"manifests": []}')
    for place in (tmp_path / "layout", tmp_path / "absent"):
        with pytest.raises(ImageNotFoundError, match="is no image layout of one image"):
            read_layout(place)
    assert not (tmp_path / "absent").exists()


def test_a_layout_replaces_a_layout_and_nothing_else(image: Image, blobs: BlobStore, tmp_path: Path) -> None:
    place = tmp_path / "layout"
    for _ in range(2):
        write_layout(place, packed_image(image, blobs, {}), REFERENCE, report=silent)
    assert len(list((place / "blobs" / "sha256").iterdir())) == 4
    assert [path.name for path in tmp_path.iterdir() if "layout" in path.name] == ["layout"]
    for other in (tmp_path / "folder", tmp_path / "file"):
        if other.name == "file":
            other.write_text("precious")
        else:
            other.mkdir()
            (other / "precious").touch()
        with pytest.raises(OutputError, match="no image layout"), new_layout(other):
            raise AssertionError("it was about to be replaced")


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_layout_that_fails_leaves_what_was_there(tmp_path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure), new_layout(tmp_path / "layout") as layout:
        layout.blobs.add([b"half"])
        raise failure
    assert list(tmp_path.iterdir()) == []


def test_a_layout_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match="cannot write the image layout"),
        new_layout(tmp_path / "file" / "x"),
    ):
        raise AssertionError("it was written")


def test_an_archive_is_read_as_it_was_written(image: Image, blobs: BlobStore, tmp_path: Path) -> None:
    taken = BlobStore(tmp_path / "taken")
    assert read_docker_archive(docker_archive(image, blobs, REFERENCE), taken) == image
    assert {path.name for path in taken.folder.iterdir()} == {
        layer.blob.digest.removeprefix("sha256:") for layer in image.layers
    }


def test_an_archive_of_other_engines_is_read(image: Image, blobs: BlobStore, tmp_path: Path) -> None:
    """Docker before 25 links a layer that comes twice; later ones have blobs, perhaps compressed."""
    lower, upper = (blobs.path(layer.blob.digest).read_bytes() for layer in image.layers)
    packed = gzip.compress(upper, mtime=0)
    config = json.loads(image.config_document)
    config["rootfs"]["diff_ids"] = [sha256(lower), sha256(upper), sha256(lower)]
    manifest = [{"Config": "blobs/sha256/c", "RepoTags": None, "Layers": ["x/layer.tar", "p", "y/layer.tar"]}]
    stream = tar_stream(
        [
            Entry(path="manifest.json", content=document(manifest)),
            Entry(path="blobs/sha256/c", content=document(config)),
            Entry(path="y/layer.tar", link="../x/layer.tar"),
            Entry(path="x/layer.tar", content=lower),
            Entry(path="p", content=packed),
            Entry(path="repositories", content=b"{}"),
        ]
    )
    taken = BlobStore(tmp_path / "taken")
    read = read_docker_archive(stream, taken)
    assert [layer.blob.digest for layer in read.layers] == [sha256(lower), sha256(packed), sha256(lower)]
    assert [layer.media_type for layer in read.layers] == [LAYER, f"{LAYER}+gzip", LAYER]
    assert read.config_document == document(config)
    assert len(list(taken.folder.iterdir())) == 2


def test_an_archive_is_what_docker_reads(image: Image, blobs: BlobStore) -> None:
    with tarfile.open(fileobj=io.BytesIO(b"".join(docker_archive(image, blobs, REFERENCE)))) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        assert manifest["RepoTags"] == [str(REFERENCE)]
        assert {manifest["Config"], *manifest["Layers"]} < set(archive.getnames())


def test_an_archive_leaves_out_what_the_engine_has(image: Image, blobs: BlobStore) -> None:
    lower, upper = image.layers
    partial = Image(config_document=image.config_document, layers=(upper,))
    stream = b"".join(docker_archive(partial, blobs, REFERENCE, present=[lower.diff_id]))
    with tarfile.open(fileobj=io.BytesIO(stream)) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        assert len(manifest["Layers"]) == 2
        absent, present = manifest["Layers"]
        assert absent not in archive.getnames()
        content = archive.extractfile(present)
        assert content is not None
        assert sha256(content.read()) == upper.diff_id


def test_the_date_of_images_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert timestamp(source_date()) == "1970-01-01T00:00:00Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert timestamp(source_date()) == "2023-11-14T22:13:20Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UsageError, match="'yesterday'"):
        source_date()
