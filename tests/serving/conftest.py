"""The small SavedModels, made once, and one server for all tests that only ask."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_server import EmbeddedServer, Served, config_file, serving
from served_image import IN_IMAGE, served_image

PROCESS = "process"
BASE = os.environ.get("PACKAGER_TEST_BASE", "embedded")
TARGETS = [PROCESS] if BASE == "embedded" else [PROCESS, BASE]

FLAGS = {"allow_version_labels_for_unavailable_models": "true", "rest_api_enable_cors_support": "true"}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of model folders."""
    folder = tmp_path_factory.mktemp("small_models")
    program = Path(__file__).with_name("small_models.py")
    made = subprocess.run([sys.executable, str(program), str(folder)], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A private key and a certificate for ``localhost``, both as text."""
    folder = tmp_path_factory.mktemp("certificate")
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = ["-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"]
    subprocess.run(["openssl", "req", "-x509", *made, *name], cwd=folder, check=True, capture_output=True)
    return (folder / "key.pem").read_text(), (folder / "cert.pem").read_text()


def _configuration(models: Path, base: str) -> list[str]:
    """Return the fields of every model below ``base``: all versions, and a label."""
    return [
        f'name: "{model.name}" base_path: "{base}/{model.name}" model_version_policy {{ all {{}} }}'
        + (' version_labels { key: "stable" value: 1 }' if model.name == "affine" else "")
        for model in sorted(models.iterdir())
        if model.name != "tagged"
    ]


@pytest.fixture(scope="session")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server with all of them, every version, labels and CORS. Nobody changes anything about it."""
    fields = _configuration(models, str(models))
    path = config_file(tmp_path_factory.mktemp("config") / "models.conf", *fields)
    with serving(model_config_file=path, **FLAGS) as server:
        server.wait_until_ready()
        yield server


@pytest.fixture(scope="session", params=TARGETS)
def asked(
    request: pytest.FixtureRequest, models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """That server, and the same models in a container of the image that PACKAGER_TEST_BASE names."""
    if request.param == PROCESS:
        yield request.getfixturevalue("server")
        return
    path = config_file(tmp_path_factory.mktemp("config") / "models.conf", *_configuration(models, IN_IMAGE))
    flags = (f"--{name}={value}" for name, value in FLAGS.items())
    with served_image(request.param, models, path.read_text(), *flags) as served:
        yield served
