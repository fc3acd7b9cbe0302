"""OCI image layouts: an image as a folder, which skopeo, crane, podman and registries' tools read.

Format: github.com/opencontainers/image-spec, image-layout.md.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packager.errors import OutputError
from packager.image.blobs import Blob, BlobStore
from packager.image.image import INDEX, MANIFEST, Image, document
from packager.values import ImageReference

_VERSION = document({"imageLayoutVersion": "1.0.0"})


class Layout:
    """A layout that is being written, beside its place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.blobs = BlobStore(folder / "blobs" / "sha256")

    def finish(self, image: Image, reference: ImageReference, annotations: dict[str, str]) -> Blob:
        """Write the documents around layers that are here already; return the manifest."""
        config = self.blobs.add([image.config_document])
        manifest = self.blobs.add([image.manifest_document(config, annotations)])
        operating_system, architecture = image.platform.split("/")
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
        return manifest


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
