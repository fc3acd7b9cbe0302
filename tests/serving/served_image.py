"""An image of TensorFlow Serving, or one that says it is like it, asked as the embedded server is."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from embedded_server import PATIENCE, Served

IN_IMAGE = "/under-test"
"""Where an image finds the models and their configuration."""


@contextmanager
def served_image(image: str, models: Path, config: str, *flags: str) -> Iterator[Served]:
    """Run a server of ``image`` with copies of ``models``, or skip the test where it cannot be had."""
    import docker
    from docker.errors import APIError, DockerException

    try:
        client = docker.from_env()
        if not client.images.list(name=image):
            client.images.pull(image)
    except (APIError, DockerException) as error:
        pytest.skip(f"no image {image}: {error}")
    container = client.containers.create(
        image,
        [f"--model_config_file={IN_IMAGE}/models.conf", *flags],
        ports={"8500/tcp": ("127.0.0.1", None), "8501/tcp": ("127.0.0.1", None)},
    )
    try:
        container.put_archive("/", _archive(models, config))
        container.start()
        container.reload()
        rest, grpc = (int(container.ports[f"{port}/tcp"][0]["HostPort"]) for port in (8501, 8500))
        served = Served(rest_port=rest, grpc_port=grpc)
        deadline = time.monotonic() + PATIENCE
        while not _answers(served):
            container.reload()
            assert container.status == "running", container.logs().decode()
            assert time.monotonic() < deadline, container.logs().decode()
            time.sleep(0.1)
        yield served
    finally:
        container.remove(force=True)


def _archive(models: Path, config: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(models, IN_IMAGE)
        info = tarfile.TarInfo(f"{IN_IMAGE}/models.conf")
        info.size = len(config.encode())
        info.mode = 0o644
        archive.addfile(info, io.BytesIO(config.encode()))
    return content.getvalue()


def _answers(served: Served) -> bool:
    try:
        return served.ask("/v1/models/affine").status == 200
    except OSError:
        return False
