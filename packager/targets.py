"""What TARGET means wherever a verb takes one: a version of a model, in whichever place it lies."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packager import labels
from packager.contract import FILES, FOLDER, Contract, read_contract, read_contract_file
from packager.errors import (
    EngineUnavailableError,
    ImageNotFoundError,
    ModelFileError,
    RegistryError,
    UsageError,
)
from packager.progress import Report, silent
from packager.savedmodel.graph import FILE as GRAPH_FILE
from packager.savedmodel.graph import read_graph, signatures_of
from packager.values import ImageReference

if TYPE_CHECKING:
    from packager.engine import Engine, EngineImage
    from packager.image import Image

LIMIT = 2**31
"""Bytes of a graph: protobuf has no longer messages. Contracts are far smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One version of a model, with what it promises."""

    name: str
    """As it was named."""
    kind: str
    """``contract``, ``version``, ``model``, ``layout``, ``image`` or ``registry``: where it was found."""
    model: str
    version: int | None
    contract: Contract
    graph: bytes | None
    """The content of ``saved_model.pb``; ``None`` where there is but a contract file."""
    recorded: bool
    """Whether the contract was recorded at conversion; else it is what the graph's signatures tell."""
    base: str | None = None
    """What an image says that it was built upon, as ``--base`` takes it."""
    folder: Path | None = None
    """The version folder, where it is one of this machine's."""


def resolve(
    target: str | os.PathLike[str],
    *,
    model: str | None = None,
    version: int | None = None,
    report: Report = silent,
) -> Target:
    """Find the version that ``target`` names, the highest one of several unless ``version`` is given.

    A target is a contract file, a version folder, a model folder, an OCI layout, or an image: the engine's of
    that name, else the registry's. Of an image with several models, ``model`` is meant. Raises
    ImageNotFoundError where there is none, UsageError where one has to be chosen, ModelFileError where it
    cannot be read, or a RegistryError.
    """
    text, path = os.fspath(target), Path(target)
    if path.is_file():
        return _contract_file(text, path)
    if path.is_dir():
        return _folder(text, path, model, version)
    return _image(text, reference_of(text), model, version, report)


def reference_of(text: str) -> ImageReference:
    """Read a TARGET that is no file or folder: the name of an image.

    Raises ImageNotFoundError where it looks like a path, else UsageError where it is no reference.
    """
    try:
        return ImageReference.parse(text)
    except UsageError as error:
        if os.sep in text or text.startswith("."):
            raise ImageNotFoundError(
                f"no file or folder {text!r}", hint="packager convert FILE --name NAME makes a model folder"
            ) from error
        raise


def _contract_file(text: str, path: Path) -> Target:
    contract = read_contract_file(path)
    return Target(
        name=text,
        kind="contract",
        model=contract.model or "model",
        version=None,
        contract=contract,
        graph=None,
        recorded=True,
    )


def _folder(text: str, path: Path, model: str | None, version: int | None) -> Target:
    from packager.smoketest.folder import choose, versions_in

    if (path / "oci-layout").is_file():
        return _layout(text, path, model, version)
    if (path / GRAPH_FILE).is_file():
        whole = path.resolve()
        number = int(whole.name) if whole.name.isdecimal() else None
        return _version(
            text, "version", path, whole.parent.name if number is not None else whole.name, number
        )
    versions = versions_in(path)
    servable = versions[choose(versions, version, target=text)]
    return _version(text, "model", servable.path, servable.name, servable.version)


def _version(text: str, kind: str, folder: Path, model: str, version: int | None) -> Target:
    try:
        graph = (folder / GRAPH_FILE).read_bytes()
    except OSError as error:
        raise ModelFileError(
            f"no SavedModel in {str(folder)!r}: {error.strerror}",
            hint="packager convert FILE --name NAME makes one",
        ) from error
    return replace(_found(text, kind, model, version, read_contract(folder), graph), folder=folder)


def _found(
    text: str,
    kind: str,
    model: str,
    version: int | None,
    contract: Contract | None,
    graph: bytes,
    base: str | None = None,
) -> Target:
    return Target(
        name=text,
        kind=kind,
        model=model,
        version=version,
        contract=contract or _told_by(graph, text, model),
        graph=graph,
        recorded=contract is not None,
        base=base,
    )


def _told_by(content: bytes, where: str, model: str) -> Contract:
    """Return the contract of a SavedModel that has none: its signatures, and no samples."""
    graph = read_graph(content, where)
    return Contract(
        source="",
        source_sha256="",
        tensorflow=graph.meta_info_def.tensorflow_version,
        loader="",
        signatures=signatures_of(graph),
        samples=(),
        model=model,
    )


def _image(
    text: str, reference: ImageReference, model: str | None, version: int | None, report: Report
) -> Target:
    from packager.engine import connect

    try:
        with closing(connect()) as engine:
            if found := engine.image(str(reference)):
                return _engines(text, engine, found, model, version)
    except EngineUnavailableError:
        return _registrys(text, reference, model, version, report)
    try:
        return _registrys(text, reference, model, version, report)
    except RegistryError as error:
        if reference.domain:
            raise
        raise ImageNotFoundError(
            f"no file or folder {text!r}, and no image of that name: {error}",
            hint=f"packager build models/NAME --tag {reference}",
            details=error.details,
        ) from error


def _engines(
    text: str, engine: Engine, found: EngineImage, wanted: str | None, version: int | None
) -> Target:
    from packager.smoketest import image
    from packager.smoketest.container import container_spec
    from packager.smoketest.folder import choose

    model = _chosen(text, found.labels, wanted) or image.model_name(found, wanted)
    with engine.container(container_spec(found, port=None)) as container:
        versions = image.versions_in(found, container, model)
        number = choose(versions, version, target=text)
        contract = image.contract_in(container, versions[number])
        graph = image.file_in(container, f"{versions[number]}/{GRAPH_FILE}")
    return _found(text, "image", model, number, contract, graph, _base(found.labels))


def _registrys(
    text: str, reference: ImageReference, wanted: str | None, version: int | None, report: Report
) -> Target:
    from packager.image import Cache, files_in, host_platform, remote_image

    found = remote_image(reference, host_platform(), Cache.default(), report=report)
    model, number = _served(text, found.image, wanted, version)
    files = files_in(found.image, found.blobs, _paths(found.image, model, number), limit=LIMIT)
    return _of_files(text, "registry", model, number, files, _base(_labels(found.image)))


def _layout(text: str, place: Path, wanted: str | None, version: int | None) -> Target:
    from packager.image import files_in, read_layout

    packed = read_layout(place)
    model, number = _served(text, packed.image, wanted, version)
    files = files_in(packed.image, packed.blobs, _paths(packed.image, model, number), limit=LIMIT)
    return _of_files(text, "layout", model, number, files, _base(_labels(packed.image)))


def _served(text: str, image: Image, wanted: str | None, version: int | None) -> tuple[str, int]:
    """Return the model and the version of an image that packager built: its labels tell."""
    from packager.smoketest.folder import choose

    told = _labels(image)
    model = _chosen(text, told, wanted)
    versions = labels.versions_told(told, model) if model else ()
    if model is None or not versions:
        raise ImageNotFoundError(
            f"{text!r} does not tell which model it serves: packager did not build it",
            hint="bring it into an engine, where it can be looked through: docker pull REF",
        )
    return model, choose(versions, version, target=text)


def _paths(image: Image, model: str, version: int) -> list[str]:
    environment = dict(entry.split("=", 1) for entry in image.config.get("config", {}).get("Env") or ())
    folder = f"{environment.get('MODEL_BASE_PATH', '/models').strip('/')}/{model}/{version}"
    return [f"{folder}/{GRAPH_FILE}", *(f"{folder}/{FOLDER}/{name}" for name in FILES)]


def _labels(image: Image) -> Mapping[str, str]:
    return image.config.get("config", {}).get("Labels") or {}


def _base(told: Mapping[str, str]) -> str | None:
    return "embedded" if labels.RUNTIME in told else told.get("org.opencontainers.image.base.name")


def _chosen(text: str, told: Mapping[str, str], wanted: str | None) -> str | None:
    """Return which model of an image is meant, ``None`` where its labels tell of none."""
    models = labels.models_told(told)
    if not models or wanted in models:
        return wanted if models else None
    if wanted is not None or len(models) > 1:
        problem = f"serves no model {wanted!r}" if wanted else "serves several models"
        raise UsageError(
            f"{text!r} {problem}: it has {', '.join(map(repr, models))}", hint=f"--model {models[0]}"
        )
    return models[0]


def _of_files(
    text: str, kind: str, model: str, version: int, files: Mapping[str, bytes], base: str | None
) -> Target:
    """Return the version of which these files were taken out of an image, by their paths in it."""
    below = f"/{model}/{version}/"
    files = {path.split(below, 1)[1]: content for path, content in files.items()}
    if GRAPH_FILE not in files:
        raise ModelFileError(f"version {version} of {model!r} in {text!r} is no SavedModel: no {GRAPH_FILE}")
    with tempfile.TemporaryDirectory(prefix="packager-target-") as place:
        folder = Path(place)
        (folder / FOLDER).mkdir(parents=True)
        for path, content in files.items():
            (folder / path).write_bytes(content)
        return _found(text, kind, model, version, read_contract(folder), files[GRAPH_FILE], base)
