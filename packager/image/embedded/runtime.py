"""The runtime image: its layers put together, named by a digest of its parts, and brought into an engine."""

from __future__ import annotations

import hashlib
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packager import labels
from packager.errors import BaseUnavailableError
from packager.image.archive import docker_archive
from packager.image.blobs import BlobStore
from packager.image.cache import Cache
from packager.image.embedded.debian import Unpacked, unpacked
from packager.image.embedded.layers import part_layer
from packager.image.embedded.parts import Part, lower_parts, packages, tensorflow_version, upper_parts
from packager.image.image import Image, Layer, document, source_date, timestamp
from packager.image.settings import MODEL_BASE_PATH, PORTS
from packager.progress import Report, detail, in_turn, say, silent
from packager.sidebyside import Stop, side_by_side
from packager.values import ImageReference

if TYPE_CHECKING:
    from packager.engine import Engine, EngineImage

HOST, DEBIAN = "host", "debian"
"""Where the runtime's system and Python come from."""

_REPOSITORY = "tfserving-packager/runtime"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""The kernel's names, and Docker's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The embedded base, whose layers are in the cache."""

    image: Image
    reference: ImageReference
    tensorflow: str
    sizes: tuple[tuple[str, int], ...]
    """What its bytes are spent on: parts and their sizes."""
    blobs: BlobStore

    @property
    def label(self) -> str:
        """What tells this runtime from every other, on its images."""
        return str(self.image.config["config"]["Labels"][labels.RUNTIME])

    def ensure_loaded(self, engine: Engine, *, report: Report = silent) -> EngineImage:
        """Return the engine's image of it, after loading it where the engine has it not."""
        present = engine.image(str(self.reference))
        if present is None or present.labels.get(labels.RUNTIME) != self.label:
            say(report, f"loading {self.reference} into the engine", total=self.image.size)
            engine.load(docker_archive(self.image, self.blobs, self.reference), report=report)
            present = engine.image(str(self.reference))
        if present is None:
            raise BaseUnavailableError(f"the engine did not keep {str(self.reference)!r} when it was loaded")
        return present


def host_platform() -> str:
    """Return what images run on that are made of this machine's own parts, or raise BaseUnavailableError."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _ARCHITECTURES:
        raise BaseUnavailableError(
            f"the embedded base is made of Linux's own parts, and this is {sys.platform} on {machine}",
            hint="name a base image: --base official",
        )
    return f"linux/{_ARCHITECTURES[machine]}"


def embedded_runtime(
    *,
    origin: str = HOST,
    cache: Cache | None = None,
    server: Path | None = None,
    report: Report = silent,
) -> Runtime:
    """Return the runtime made of this Python and this TensorFlow; nothing is made anew that is unchanged.

    ``origin`` is where system and Python come from: this machine (``host``), or packages (``debian``).
    ``server`` is the folder that holds the package ``packager``, the installed one by default.
    """
    operating_system, architecture = host_platform().split("/")
    cache = cache or Cache.default()
    version = tensorflow_version()
    with cache.locked(report):
        made, debian = _made(origin, cache, server, in_turn(report))
    layers = tuple(layer for _, layer in made)
    digest = hashlib.sha256(document([layer.blob.digest for layer in layers])).hexdigest()
    sizes = tuple((name, layer.blob.size) for name, layer in made)
    detail(report, "runtime: " + ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes))
    created = timestamp(source_date())
    config = {
        "architecture": architecture,
        "os": operating_system,
        "created": created,
        "config": _settings(version, digest, packages(debian)),
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [{"created": created, "created_by": f"packager: {name}"} for name, _ in sizes],
    }
    return Runtime(
        image=Image(config_document=document(config), layers=layers),
        reference=ImageReference.parse(f"{_REPOSITORY}:{version}-{digest[:12]}"),
        tensorflow=version,
        sizes=sizes,
        blobs=cache.blobs,
    )


def _made(
    origin: str, cache: Cache, server: Path | None, report: Report
) -> tuple[list[tuple[str, Layer]], Unpacked | None]:
    """Return the layers by their names, lowest first, and the packages that they are made of, if any.

    While apt downloads and Python's modules are compiled, TensorFlow's libraries are stripped.
    """

    def layers_of(parts: tuple[Part, ...]) -> list[tuple[str, Layer]]:
        return [(part.name, part_layer(part, cache, report)) for part in parts]

    def lower(_: Stop) -> tuple[list[tuple[str, Layer]], Unpacked | None]:
        debian = unpacked(cache, report) if origin == DEBIAN else None
        return layers_of(lower_parts(debian)), debian

    def upper(_: Stop) -> tuple[list[tuple[str, Layer]], None]:
        return layers_of(upper_parts(server)), None

    (below, debian), (above, _) = side_by_side([lower, upper], patient=True)
    return [*below, *above], debian


def _settings(version: str, digest: str, told: tuple[str, ...]) -> dict[str, object]:
    return {
        "Env": [f"PATH={_PATH}", "MODEL_NAME=model", f"MODEL_BASE_PATH={MODEL_BASE_PATH}"],
        "Entrypoint": ["/usr/bin/tf_serving_entrypoint.sh"],
        "ExposedPorts": {f"{port}/tcp": {} for port in PORTS},
        "Labels": {
            labels.RUNTIME: f"embedded@sha256:{digest}",
            labels.TENSORFLOW: version,
            labels.PACKAGES: " ".join(told),
        },
    }
