"""What TARGET can be: a contract file, a version or model folder, an OCI layout; and what it cannot."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from fixtures_contract import contract, write_graph

from packager import interface
from packager.contract import FOLDER, write_contract
from packager.errors import BreakingChangeError, ImageNotFoundError, ModelFileError, UsageError
from packager.image.blobs import BlobStore
from packager.image.image import BASE_COMMENT, Image, Layer, PackedImage, document
from packager.image.layout import write_layout
from packager.image.reading import files_in
from packager.image.tarball import Entry, tar_stream, tree
from packager.progress import silent
from packager.targets import resolve
from packager.values import ImageReference, Signature, TensorSpec


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder: version 1 has no contract, version 2 has one."""
    for version in (1, 2):
        write_graph(tmp_path / "m" / str(version))
    write_contract(contract(), tmp_path / "m" / "2")
    return tmp_path / "m"


def test_a_model_folder_is_its_highest_version(model: Path) -> None:
    found = resolve(model)
    assert (found.kind, found.model, found.version, found.recorded) == ("model", "m", 2, True)
    assert found.contract.signatures == contract().signatures
    assert resolve(model, version=1).version == 1


def test_a_version_folder_is_that_version(model: Path) -> None:
    found = resolve(model / "2")
    assert (found.kind, found.model, found.version) == ("version", "m", 2)


def test_a_savedmodel_without_contract_tells_its_signatures(model: Path) -> None:
    found = resolve(model / "1")
    assert not found.recorded
    assert found.contract.tensorflow == "2.19.1"
    assert found.contract.signatures == (
        Signature(
            key="serving_default",
            method="tensorflow/serving/predict",
            inputs=(TensorSpec(name="x", dtype="float32", shape=(None,)),),
            outputs=(TensorSpec(name="y", dtype="string", shape=(None,)),),
        ),
    )


def test_a_contract_file_is_enough_to_compare_with(model: Path, tmp_path: Path) -> None:
    alone = tmp_path / "old.json"
    alone.write_text((model / "2" / FOLDER / "contract.json").read_text())
    found = resolve(alone)
    assert (found.kind, found.graph, found.contract.samples) == ("contract", None, ())
    assert interface.diff(alone, model).changes == ()
    assert interface.diff(alone, model / "1").breaking


def test_what_breaks_clients_is_refused_with_all_reasons(model: Path) -> None:
    with pytest.raises(BreakingChangeError, match="would break") as raised:
        interface.check_compatible(resolve(model), resolve(model / "1").contract.signatures)
    assert "'a/b'" in raised.value.message or "a/b" in raised.value.message
    assert raised.value.details is not None
    assert "label" in raised.value.details


@pytest.mark.parametrize("name", ["./nowhere", "models/Nowhere", "no where/x"])
def test_what_is_nowhere_is_told(name: str) -> None:
    with pytest.raises(ImageNotFoundError, match="no file or folder"):
        resolve(name)


def test_what_is_no_savedmodel_is_told(tmp_path: Path) -> None:
    (tmp_path / "m" / "1").mkdir(parents=True)
    with pytest.raises(ModelFileError, match="no SavedModel"):
        resolve(tmp_path / "m")
    (tmp_path / "m" / "1" / "saved_model.pb").write_bytes(b"\xff" * 10)
    with pytest.raises(ModelFileError, match="no SavedModel that can be read"):
        resolve(tmp_path / "m")
    write_graph(tmp_path / "m" / "1", tag="train")
    with pytest.raises(ModelFileError, match="only 'train'"):
        resolve(tmp_path / "m")


def test_a_client_needs_a_request_to_send(model: Path) -> None:
    with pytest.raises(UsageError, match="no request to 'serving_default'"):
        interface.client(model / "1", language="python")
    with pytest.raises(UsageError, match="no signature 'other'"):
        interface.client(model, language="python", signature="other")
    with pytest.raises(UsageError, match="invalid --language 'cobol'"):
        interface.client(model, language="cobol")


def test_openapi_needs_no_more_than_signatures(model: Path) -> None:
    assert "/v1/models/m:predict" in interface.openapi(model / "1")["paths"]
    assert json.dumps(interface.openapi(model))


def layered(blobs: BlobStore, *layers: list[Entry], labels: dict[str, str], base: bytes = b"") -> Image:
    """An image whose lowest layer is of the base; the uppermost one is compressed."""
    below = Layer.uncompressed(blobs.add([base]))
    own = [blobs.add(tar_stream(entries)) for entries in layers]
    packed = blobs.add([gzip.compress(b"".join(blobs.chunks(own[-1])))])
    upper = Layer(blob=packed, diff_id=own[-1].digest, media_type="tar+gzip")
    stack = (below, *map(Layer.uncompressed, own[:-1]), upper)
    config = {
        "os": "linux",
        "architecture": "amd64",
        "config": {"Labels": labels, "Env": ["MODEL_NAME=m"]},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in stack]},
        "history": [{"created_by": BASE_COMMENT}, *({"created_by": "packager: x"} for _ in layers)],
    }
    return Image(config_document=document(config), layers=stack)


LABELS = {"org.tfserving-packager.model": "m", "org.tfserving-packager.versions": "1,2"}


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def test_a_layout_is_read_where_it_lies_and_its_base_is_not(
    model: Path, blobs: BlobStore, tmp_path: Path
) -> None:
    image = layered(blobs, list(tree(model, "models/m")), labels=LABELS, base=b"no tar stream")
    packed = PackedImage(image=image, manifest=image.manifest_document({}), blobs=blobs)
    write_layout(tmp_path / "oci", packed, ImageReference.parse("m:1"), report=silent)
    found = resolve(tmp_path / "oci")
    assert (found.kind, found.model, found.version) == ("layout", "m", 2)
    assert found.contract.signatures == contract().signatures
    assert len(found.contract.samples) == 1
    assert not resolve(tmp_path / "oci", version=1).recorded
    with pytest.raises(ImageNotFoundError, match="no version 3"):
        resolve(tmp_path / "oci", version=3)


def test_a_layout_that_does_not_tell_its_model_is_refused(blobs: BlobStore, tmp_path: Path) -> None:
    image = layered(blobs, [Entry(path="x")], labels={})
    packed = PackedImage(image=image, manifest=image.manifest_document({}), blobs=blobs)
    write_layout(tmp_path / "oci", packed, ImageReference.parse("m:1"), report=silent)
    with pytest.raises(ImageNotFoundError, match="does not tell which model"):
        resolve(tmp_path / "oci")


def test_the_uppermost_file_counts_and_a_removed_one_is_gone(blobs: BlobStore) -> None:
    lower = [
        Entry(path="d/a", content=b"old"),
        Entry(path="d/b", content=b"old"),
        Entry(path="e/c", content=b"c"),
    ]
    upper = [Entry(path="d/.wh.b"), Entry(path="d/a", content=b"new"), Entry(path="e/.wh..wh..opq")]
    image = layered(blobs, lower, upper, labels={})
    assert files_in(image, blobs, ["d/a", "d/b", "e/c", "f"], limit=10) == {"d/a": b"new"}
    with pytest.raises(ModelFileError, match="3 bytes, and 2 are read"):
        files_in(image, blobs, ["d/a"], limit=2)


def test_a_layer_that_cannot_be_read_is_told(blobs: BlobStore) -> None:
    broken = Layer.uncompressed(blobs.add([b"(\xb5/\xfd zstd" * 100]))
    image = Image(config_document=document({"rootfs": {"diff_ids": []}}), layers=(broken,))
    with pytest.raises(ModelFileError, match="cannot read the layer"):
        files_in(image, blobs, ["x"], limit=2)
