"""OCI image layouts: an image as a folder, which skopeo, crane, podman and registries' tools read.

Format: github.com/opencontainers/image-spec, image-layout.md.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packager.errors import ImageNotFoundError, OutputError
from packager.image.blobs import Blob, BlobStore
from packager.image.image import INDEX, MANIFEST, Image, Layer, PackedImage, document
from packager.progress import Report, say
from packager.values import ImageReference

_VERSION = document({"imageLayoutVersion": "1.0.0"})


def write_layout(place: Path, packed: PackedImage, reference: ImageReference, *, report: Report) -> None:
    """Write ``packed`` to ``place``, in the way of ``new_layout``."""
    with new_layout(place) as layout:
        done = 0
        for layer in packed.image.layers:
            layout.blobs.copy(layer.blob, packed.blobs)
            done += layer.blob.size
            say(report, f"writing the image layout '{place}'", done=done, total=packed.image.size)
        layout.finish(packed, reference)


def read_layout(place: Path) -> PackedImage:
    """Return the one image of the layout at ``place``, or raise ImageNotFoundError."""
    try:
        (entry,) = json.loads((place / "index.json").read_bytes())["manifests"]
        blobs = BlobStore(place / "blobs" / "sha256")
        manifest = blobs.path(entry["digest"]).read_bytes()
        parts = json.loads(manifest)
        config = blobs.path(parts["config"]["digest"]).read_bytes()
        layers = tuple(
            Layer(
                blob=Blob(digest=layer["digest"], size=layer["size"]),
                diff_id=diff_id,
                media_type=layer["mediaType"],
            )
            for layer, diff_id in zip(parts["layers"], json.loads(config)["rootfs"]["diff_ids"], strict=True)
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ImageNotFoundError(
            f"'{place}' is no image layout of one image: {error}",
            hint=f"packager build models/NAME --tag REF --engine none --oci-layout '{place}'",
        ) from error
    return PackedImage(image=Image(config_document=config, layers=layers), manifest=manifest, blobs=blobs)


class Layout:
    """A layout that is being written, beside its place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.blobs = BlobStore(folder / "blobs" / "sha256")

    def finish(self, packed: PackedImage, reference: ImageReference) -> None:
        """Write the documents around layers that are here already."""
        self.blobs.add([packed.image.config_document])
        manifest = self.blobs.add([packed.manifest])
        operating_system, architecture = packed.image.platform.split("/")
        entry = {
            "mediaType": MANIFEST,
            "digest": manifest.digest,
            "size": manifest.size,
            "platform": {"os": operating_system, "architecture": architecture},
            "annotations": {
                "org.opencontainers.image.ref.name": reference.tag_or_latest,
                "io.containerd.image.name": str(reference),
            },
        }
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
        (self._folder / "index.json").write_bytes(document(index))
        (self._folder / "oci-layout").write_bytes(_VERSION)


@contextmanager
def new_layout(place: Path) -> Iterator[Layout]:
    """Write a layout aside and move it to ``place`` at the end; nothing is left where that fails.

    A layout, or an empty folder, that is at ``place`` already is replaced; raises OutputError where it is
    something else, or ``place`` cannot be written.
    """
    _check_replaceable(place)
    aside = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}-"))
        aside.chmod(0o755)
        yield Layout(aside)
        _replace(place, aside)
    except OSError as error:
        raise OutputError(f"cannot write the image layout '{place}': {error.strerror}") from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)


def _check_replaceable(place: Path) -> None:
    is_layout = (place / "oci-layout").is_file()
    is_empty_folder = place.is_dir() and not any(place.iterdir())
    if place.exists() and not is_layout and not is_empty_folder:
        raise OutputError(
            f"'{place}' is there, and is no image layout",
            hint="name a folder that is new or an image layout: --oci-layout image",
        )


def _replace(place: Path, aside: Path) -> None:
    """Put ``aside`` at ``place``; what was there is put back where that fails."""
    if not place.exists():
        aside.rename(place)
        return
    old = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}-old-"))
    place.rename(old / "layout")
    try:
        aside.rename(place)
    except OSError:
        (old / "layout").rename(place)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
