"""The models' layers compressed, for those to whom a registry's disk matters more than time.

Weights hardly get smaller, and a gigabyte of them costs gzip half a minute: so layers are left as they are
unless asked otherwise. What is inside a layer, and so the image's ID, stays the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from packager.errors import UsageError
from packager.image.blobs import BlobStore
from packager.image.description import ModelLayers
from packager.image.image import LAYER, Layer
from packager.progress import Report, say

NONE, GZIP, ZSTD = "none", "gzip", "zstd"

_GZIP_LEVEL, _ZSTD_LEVEL = 6, 3
_GZIP_WINDOW = 31  # zlib's largest window with gzip's header, whose time and name are then empty


def compressed(model: ModelLayers, kind: str, store: BlobStore, report: Report) -> ModelLayers:
    """Return the same layers with their blobs compressed, kept in ``store`` until they have been read."""
    if kind == NONE:
        return model
    compress = _compressor(kind)
    blobs = []
    for layer in model.layers:
        say(report, f"compressing {layer.blob.size} bytes")
        blobs.append(store.add(compress(model.chunks(layer.blob))))
    layers = tuple(
        Layer(blob=blob, diff_id=layer.diff_id, media_type=f"{LAYER}+{kind}")
        for blob, layer in zip(blobs, model.layers, strict=True)
    )
    return replace(model, layers=layers, made={blob.digest: partial(store.chunks, blob) for blob in blobs})


def decompressed(media_type: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the tar stream inside a layer's blob of that media type."""
    kind = media_type.rpartition("+")[2] if "+" in media_type else media_type.rpartition(".")[2]
    if kind == GZIP:
        yield from map(zlib.decompressobj(_GZIP_WINDOW).decompress, chunks)
    elif kind == ZSTD:
        yield from map(_zstandard().ZstdDecompressor().decompressobj().decompress, chunks)
    else:
        yield from chunks


def check_compression(kind: str) -> str:
    """Return ``kind`` if it is known and can be had, or raise UsageError."""
    _compressor(kind)
    return kind


def _compressor(kind: str) -> Callable[[Iterable[bytes]], Iterator[bytes]]:
    if kind == NONE:
        return iter
    if kind == GZIP:
        return _gzip
    if kind == ZSTD:
        return _zstd_compressor()
    raise UsageError(f"invalid --compression {kind!r}", hint="--compression none, gzip or zstd")


def _gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    for chunk in chunks:
        yield compressor.compress(chunk)
    yield compressor.flush()


def _zstd_compressor() -> Callable[[Iterable[bytes]], Iterator[bytes]]:
    zstandard = _zstandard()

    def compress(chunks: Iterable[bytes]) -> Iterator[bytes]:
        compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
        for chunk in chunks:
            yield compressor.compress(chunk)
        yield compressor.flush()

    return compress


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError:
        raise UsageError(
            "zstd is not installed here", hint="pip install zstandard, or --compression gzip"
        ) from None
    return zstandard
