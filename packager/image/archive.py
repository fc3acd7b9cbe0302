"""Docker archives, what ``docker save`` writes and ``docker load`` reads, as streams in both directions."""

from __future__ import annotations

import io
import json
import posixpath
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import IO

from packager.image.blobs import Blob, Blobs, BlobStore
from packager.image.image import LAYER, Image, Layer, document
from packager.image.tarball import CHUNK, Entry, StreamFile, tar_stream
from packager.values import ImageReference

_GZIP = b"\x1f\x8b"


def docker_archive(
    image: Image, blobs: Blobs, *references: ImageReference, present: Sequence[str] = ()
) -> Iterator[bytes]:
    """Yield ``image``, whose layers are in ``blobs``, as an archive that tags it ``references``.

    ``present`` are the ``diff_id`` of layers below those of ``image`` that the receiving engine holds: they
    are listed, and not sent.
    """
    config_name = f"{_hex(image.id)}.json"
    layers = [
        Entry(
            path=f"{_hex(layer.blob.digest)}.tar",
            chunks=partial(blobs.chunks, layer.blob),
            length=layer.blob.size,
        )
        for layer in {layer.blob.digest: layer for layer in image.layers}.values()
    ]
    manifest = {
        "Config": config_name,
        "RepoTags": [f"{name.repository}:{name.tag_or_latest}" for name in references],
        "Layers": [f"{_hex(name)}.tar" for name in (*present, *(x.blob.digest for x in image.layers))],
    }
    return tar_stream(
        [
            *layers,
            Entry(path=config_name, content=image.config_document),
            Entry(path="manifest.json", content=document([manifest])),
        ]
    )


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def read_docker_archive(archive: Iterable[bytes], blobs: BlobStore) -> Image:
    """Take the one image of an archive, in one pass, its layers into ``blobs``.

    Engines name the parts in ways of their own, before or after the manifest that lists them. So every
    file becomes a blob, and those that turn out to be no layer are removed again.
    """
    members = _read_members(archive, blobs)
    (manifest,) = json.loads(_content(blobs, members["manifest.json"]))
    config = _content(blobs, members[manifest["Config"]])
    layers = tuple(
        Layer(blob=blob, diff_id=diff_id, media_type=_media_type(blobs, blob))
        for blob, diff_id in zip(
            (members[name] for name in manifest["Layers"]),
            json.loads(config)["rootfs"]["diff_ids"],
            strict=True,
        )
    )
    for blob in {*members.values()} - {layer.blob for layer in layers}:
        blobs.path(blob.digest).unlink()
    return Image(config_document=config, layers=layers)


def _read_members(archive: Iterable[bytes], blobs: BlobStore) -> dict[str, Blob]:
    """Store each file, and return the blobs by the archive's names; a link is one more name."""
    members: dict[str, Blob] = {}
    links: dict[str, str] = {}
    with tarfile.open(fileobj=io.BufferedReader(StreamFile(archive), CHUNK), mode="r|") as stream:
        for member in stream:
            if member.issym():
                links[member.name] = posixpath.normpath(
                    posixpath.join(posixpath.dirname(member.name), member.linkname)
                )
            elif file := stream.extractfile(member):
                members[member.name] = blobs.add(_in_chunks(file))
    return members | {name: members[target] for name, target in links.items()}


def _in_chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _content(blobs: BlobStore, blob: Blob) -> bytes:
    return blobs.path(blob.digest).read_bytes()


def _media_type(blobs: BlobStore, blob: Blob) -> str:
    with blobs.path(blob.digest).open("rb") as file:
        return f"{LAYER}+gzip" if file.read(2) == _GZIP else LAYER
