"""The one description that every way of building goes by: a model's layers, and the config upon a base's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from packager.image.blobs import Blob, Blobs, MadeBlobs
from packager.image.configuration import Content
from packager.image.context import layer_entries
from packager.image.image import Image, Layer, PackedImage, config_upon, source_date, timestamp
from packager.image.settings import serving_settings
from packager.image.tarball import tar_stream
from packager.progress import Progress, Report
from packager.sidebyside import Stop, side_by_side


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLayers:
    """The layers of an image's models, by their digests; their bytes are made of files when read."""

    content: Content
    layers: tuple[Layer, ...]
    comments: tuple[str, ...]
    made: Mapping[str, Callable[[], Iterable[bytes]]]
    """By digest, what makes the layer's bytes."""

    def upon(self, config: Mapping[str, Any], labels: Mapping[str, str]) -> Image:
        """Return the image upon a base of that config, with these layers alone."""
        told = [(layer.diff_id, comment) for layer, comment in zip(self.layers, self.comments, strict=True)]
        settings = serving_settings(self.content.models[0], self.content.flags, labels)
        document = config_upon(config, told, settings=settings, created=timestamp(source_date()))
        return Image(config_document=document, layers=self.layers)

    def chunks(self, blob: Blob) -> Iterator[bytes]:
        """Yield the bytes of one of the layers."""
        yield from self.made[blob.digest]()

    def packed(
        self, base: Image, below: Blobs, labels: Mapping[str, str], annotations: Mapping[str, str]
    ) -> PackedImage:
        """Return the whole image upon ``base``, whose layers are read from ``below``."""
        upper = self.upon(base.config, labels)
        image = Image(config_document=upper.config_document, layers=(*base.layers, *self.layers))
        made = {**self.made, image.id: lambda: [image.config_document]}
        return PackedImage(
            image=image, manifest=image.manifest_document(annotations), blobs=MadeBlobs(made, below)
        )


def model_layers(content: Content, report: Report) -> ModelLayers:
    """Read the models, to tell the digests of their layers."""
    groups = list(layer_entries(content, report))
    streams = [partial(tar_stream, entries, mtime=source_date()) for _, entries in groups]
    total = sum(entry.size for _, entries in groups for entry in entries if not entry.directory)
    progress = Progress(report, "reading the model", total=total)
    blobs = side_by_side([partial(_measured, stream, progress) for stream in streams])
    return ModelLayers(
        content=content,
        layers=tuple(map(Layer.uncompressed, blobs)),
        comments=tuple(f"packager: {name}" for name, _ in groups),
        made={blob.digest: stream for blob, stream in zip(blobs, streams, strict=True)},
    )


def _measured(stream: Callable[[], Iterable[bytes]], progress: Progress, stop: Stop) -> Blob:
    digest, size = hashlib.sha256(), 0
    for chunk in stream():
        stop.check()
        digest.update(chunk)
        size += len(chunk)
        progress.add(len(chunk))
    return Blob(digest=f"sha256:{digest.hexdigest()}", size=size)
