"""Files inside of an image that no engine holds: found in its layers, the uppermost first."""

from __future__ import annotations

import tarfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePosixPath

from packager.errors import ModelFileError
from packager.image.blobs import Blobs
from packager.image.compression import decompressed
from packager.image.image import BASE_COMMENT, Image, Layer
from packager.image.tarball import StreamFile


def files_in(image: Image, blobs: Blobs, wanted: Collection[str], *, limit: int) -> dict[str, bytes]:
    """Return the content of those of the ``wanted`` paths (``models/m/1/saved_model.pb``) that are there.

    Layers are read from the uppermost down, as far as need be. Raises ModelFileError where a layer cannot be
    read, or a file is of more than ``limit`` bytes.
    """
    missing, found = set(wanted), dict[str, bytes]()
    for layer in _own_layers(image):
        if not missing:
            break
        removed: set[str] = set()
        try:
            with tarfile.open(fileobj=_tar_of(layer, blobs), mode="r|") as tar:
                for member in tar:
                    path = member.name.removeprefix("./").rstrip("/")
                    removed |= {name for name in missing if _hides(path, name)}
                    if path in missing and (file := tar.extractfile(member)):
                        found[path] = _content(file, member, limit)
        except tarfile.TarError as error:
            raise ModelFileError(
                f"cannot read the layer {layer.blob.digest} ({layer.media_type}): {error}",
                hint="bring the image into an engine: docker pull REF, or docker load",
            ) from error
        missing -= removed | found.keys()
    return found


def _tar_of(layer: Layer, blobs: Blobs) -> StreamFile:
    return StreamFile(decompressed(layer.media_type, blobs.chunks(layer.blob)))


def _own_layers(image: Image) -> Iterator[Layer]:
    """Yield the layers from the uppermost down, but for those that are known to be of the base."""
    history = [entry for entry in image.config.get("history") or () if not entry.get("empty_layer")]
    told = [str(entry.get("created_by", "")) for entry in history]
    if len(told) != len(image.layers):
        told = [""] * len(image.layers)
    for layer, comment in reversed(list(zip(image.layers, told, strict=True))):
        if comment != BASE_COMMENT:
            yield layer


def _hides(path: str, name: str) -> bool:
    """Tell whether ``path`` is a whiteout (image-spec, layer.md) that removes ``name`` of lower layers."""
    parent, _, last = path.rpartition("/")
    if last == ".wh..wh..opq":
        return name.startswith(f"{parent}/")
    removed = f"{parent}/{last.removeprefix('.wh.')}".lstrip("/")
    return last.startswith(".wh.") and (name == removed or PurePosixPath(name).is_relative_to(removed))


def _content(file: Iterable[bytes], member: tarfile.TarInfo, limit: int) -> bytes:
    if member.size > limit:
        raise ModelFileError(
            f"{member.name!r} in the image has {member.size:,} bytes, and {limit:,} are read"
        )
    return b"".join(file)
