"""The real engine, a base small enough for many tests, and names for images that are removed afterwards."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packager.engine import Engine, connect
from packager.errors import EngineUnavailableError
from packager.image.archive import docker_archive
from packager.image.blobs import BlobStore
from packager.image.embedded.libraries import shared_objects
from packager.image.embedded.runtime import host_platform
from packager.image.image import Image, Layer, document
from packager.image.tarball import Entry, folder, tar_stream, with_parents
from packager.values import ImageReference

PROGRAMS = ("sh", "bash", "cat", "id", "sleep", "tail", "touch", "kill")

TINY_ENVIRONMENT = ["PATH=/usr/bin:/bin", "FROM_BASE=yes", "MODEL_NAME=model", "MODEL_BASE_PATH=/models"]
"""As TensorFlow Serving's images have it, and a variable more."""

STAND_IN = """\
#!/bin/sh
echo "arguments: $*"
echo "user: $(id -u)"
[ -z "$DIE_WITH" ] || exit "$DIE_WITH"
exec sleep 600
"""
"""Takes the server's place: tells how it was called, and like TensorFlow Serving handles no signal."""


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The container engine of this machine."""
    try:
        found = connect(timeout=120)
    except EngineUnavailableError as error:
        pytest.skip(f"{error} ({error.hint})")
    yield found
    found.close()


@pytest.fixture(scope="session")
def tiny_image(tmp_path_factory: pytest.TempPathFactory) -> tuple[Image, BlobStore]:
    """A base with a shell, a few programs, and a stand-in for the server: a few megabytes."""
    blobs = BlobStore(tmp_path_factory.mktemp("tiny") / "blobs")
    paths = {name: Path(str(shutil.which(name))).resolve() for name in PROGRAMS}
    entries = [
        *(Entry(path=f"bin/{name}", source=path, mode=0o755) for name, path in paths.items()),
        *shared_objects(paths.values()),
        Entry(path="usr/bin/tensorflow_model_server", content=STAND_IN.encode(), mode=0o755),
        Entry(path="etc/not-a-program", content=b"neither a script nor a binary\n", mode=0o755),
        folder("tmp", 0o1777),
    ]
    layer = Layer.uncompressed(blobs.add(tar_stream(with_parents(entries))))
    return Image(config_document=tiny_config(layer), layers=(layer,)), blobs


def tiny_config(layer: Layer, architecture: str | None = None) -> bytes:
    """The config of a base of one layer."""
    return document(
        {
            "os": "linux",
            "architecture": architecture or host_platform().split("/")[1],
            "created": "1970-01-01T00:00:00Z",
            "config": {"Env": TINY_ENVIRONMENT, "Cmd": ["sleep", "600"]},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "tests"}],
        }
    )


@pytest.fixture(scope="session")
def tiny_base(engine: Engine, tiny_image: tuple[Image, BlobStore]) -> Iterator[ImageReference]:
    """The tiny base, loaded into the engine."""
    reference = ImageReference.parse(f"packager-test/tiny:{secrets.token_hex(4)}")
    engine.load(docker_archive(*tiny_image, reference))
    yield reference
    engine.remove_image(str(reference))


@pytest.fixture
def new_tag(engine: Engine) -> Iterator[Callable[..., ImageReference]]:
    """Makes names for images; what was built under them is removed after the test."""
    made: list[ImageReference] = []

    def make(registry: str | None = None) -> ImageReference:
        name = f"packager-test/image:{secrets.token_hex(4)}"
        made.append(ImageReference.parse(f"{registry}/{name}" if registry else name))
        return made[-1]

    yield make
    for reference in made:
        engine.remove_image(str(reference))
