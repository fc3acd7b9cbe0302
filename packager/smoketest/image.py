"""Images as targets: which model and versions they serve, and the contract that travels inside."""

from __future__ import annotations

import re
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from packager import contract, labels
from packager.contract import Contract
from packager.errors import ImageNotFoundError, SmokeError, UsageError
from packager.values import ImageFacts, ImageReference

if TYPE_CHECKING:
    from packager.engine import Container, Engine, EngineImage

CONTRACT_LIMIT = 256 * 1024 * 1024
"""Bytes of a contract, samples included, that are taken out of an image."""

_VERSION = re.compile(r"[^/]+/(\d+)")


def find(engine: Engine, reference: ImageReference) -> EngineImage:
    """Return the engine's image of that name, or raise ImageNotFoundError."""
    found = engine.image(str(reference))
    if found is None:
        raise ImageNotFoundError(f"no image {str(reference)!r}", hint=f"docker pull {reference}")
    return found


def model_name(image: EngineImage, wanted: str | None = None) -> str:
    """Return the name under which ``image`` serves its model: its entry point reads ``$MODEL_NAME``.

    Of several models the image's label tells; ``wanted`` has to be one of them.
    """
    several = labels.models_told(image.labels)
    if wanted is not None and several and wanted not in several:
        raise UsageError(
            f"the image serves no model {wanted!r}",
            hint=f"it has: {', '.join(several)}: --model {several[0]}",
        )
    name = wanted or image.environment.get("MODEL_NAME") or image.labels.get(labels.MODEL)
    if not name:
        raise SmokeError(
            "the image does not tell which model it serves: it has neither $MODEL_NAME nor a label",
            hint="build it with packager, which sets both: packager build models/NAME --tag REF",
        )
    return name


def base_path(image: EngineImage, model: str | None = None) -> str:
    """Return the path inside ``image`` that holds the version folders of a model."""
    return f"{image.environment.get('MODEL_BASE_PATH') or '/models'}/{model or model_name(image)}"


def described(image: EngineImage) -> ImageFacts:
    """Return what a report tells of ``image``."""
    return ImageFacts(
        id=image.id,
        references=(*image.tags, *image.repo_digests),
        platform=image.platform,
        size=image.size,
        layers=image.layers,
    )


def versions_in(image: EngineImage, container: Container, model: str | None = None) -> dict[int, str]:
    """Return the paths of the version folders inside ``image`` by number; ``container`` is made of it.

    The label tells them. An image without one, or whose label tells of other models, has to be read through.
    """
    model = model or model_name(image)
    base = base_path(image, model)
    told = labels.versions_told(image.labels, model)
    names = {str(version) for version in told}
    if not names:
        names = {match[1] for path in _paths(container, base) if (match := _VERSION.fullmatch(path))}
    if not names:
        raise ImageNotFoundError(
            f"no versions in {base!r} of the image",
            hint="build it around a model folder: packager build models/NAME --tag REF",
        )
    return {int(name): f"{base}/{name}" for name in names}


def contract_in(container: Container, version_folder: str) -> Contract | None:
    """Read the contract of a version folder inside ``container``, ``None`` where it has none.

    Only the contract's own two files are taken out, by name, into a folder that is removed again.
    """
    try:
        files = _files(container.archive(f"{version_folder}/{contract.FOLDER}"))
        with tempfile.TemporaryDirectory(prefix="packager-smoke-") as folder:
            inside = Path(folder) / contract.FOLDER
            inside.mkdir(parents=True)
            for name, content in files:
                (inside / name).write_bytes(content)
            return contract.read_contract(Path(folder))
    except ImageNotFoundError:
        return None


def file_in(container: Container, path: str) -> bytes:
    """Return the content of a file inside ``container``, or raise ImageNotFoundError."""
    with _opened(container.archive(path)) as tar:
        for member in tar:
            if file := tar.extractfile(member):
                return file.read()
    raise ImageNotFoundError(f"the image holds no file {path!r}")


def _files(archive: Iterator[bytes]) -> Iterator[tuple[str, bytes]]:
    room = CONTRACT_LIMIT
    with _opened(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            content = tar.extractfile(member) if member.isfile() and name in contract.FILES else None
            room -= member.size
            if room < 0:
                raise SmokeError(f"the contract inside the image is larger than {CONTRACT_LIMIT} bytes")
            if content is not None:
                yield name, content.read()


def _paths(container: Container, folder: str) -> Iterator[str]:
    with _opened(container.archive(folder)) as tar:
        for member in tar:
            yield member.name.rstrip("/")


def _opened(archive: Iterator[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=cast(Any, _Chunks(archive)), mode="r|")


class _Chunks:
    """The part of a file's interface that tarfile's streaming mode uses; it takes chunks of any size."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def read(self, _size: int) -> bytes:
        return next(self._chunks, b"")
