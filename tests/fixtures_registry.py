"""A real registry that wants a login, on a free port of this machine, and docker configs for its visitors."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from packager.image.blobs import BlobStore
from packager.image.image import INDEX, MANIFEST, Image

_CONFIG = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: "{root}"}}, delete: {{enabled: true}}}}
http: {{addr: "{address}"}}
auth: {{htpasswd: {{realm: tests, path: "{passwords}"}}}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A running registry and the one account it has."""

    address: str
    username: str
    password: str
    folder: Path

    def docker_config(self, *, password: str | None = None) -> Path:
        """Return a ``DOCKER_CONFIG`` folder of somebody who logged in, perhaps with another password."""
        secret = base64.b64encode(f"{self.username}:{password or self.password}".encode()).decode()
        return self._config_folder({"auths": {self.address: {"auth": secret}}})

    def empty_docker_config(self) -> Path:
        """Return a ``DOCKER_CONFIG`` folder of somebody who never logged in."""
        return self._config_folder({})

    def digest(self, path: str, tag: str) -> str:
        """Ask the registry itself which digest a tag has."""
        response = requests.head(
            f"http://{self.address}/v2/{path}/manifests/{tag}",
            auth=(self.username, self.password),
            headers={"Accept": f"application/vnd.docker.distribution.manifest.v2+json, {MANIFEST}"},
            timeout=10,
        )
        response.raise_for_status()
        return response.headers["Docker-Content-Digest"]

    def get(self, path: str, name: str) -> requests.Response:
        """Get a manifest or blob of a repository."""
        answer = requests.get(
            f"http://{self.address}/v2/{path}/{name}",
            auth=(self.username, self.password),
            headers={"Accept": f"{INDEX}, {MANIFEST}"},
            timeout=10,
        )
        answer.raise_for_status()
        return answer

    def put(self, path: str, name: str, content: bytes, media_type: str) -> None:
        """Put a manifest into a repository."""
        requests.put(
            f"http://{self.address}/v2/{path}/{name}",
            auth=(self.username, self.password),
            data=content,
            headers={"Content-Type": media_type},
            timeout=10,
        ).raise_for_status()

    def upload(self, image: Image, blobs: BlobStore, path: str, tag: str) -> str:
        """Put an image there with no engine's help; return its digest."""
        config = blobs.add([image.config_document])
        manifest = image.manifest_document({})
        url = f"http://{self.address}/v2/{path}"
        with requests.Session() as session:
            session.auth = (self.username, self.password)
            for blob in (config, *(layer.blob for layer in image.layers)):
                started = session.post(f"{url}/blobs/uploads/", timeout=10)
                started.raise_for_status()
                session.put(
                    f"{started.headers['Location']}&digest={blob.digest}",
                    data=blobs.path(blob.digest).read_bytes(),
                    timeout=60,
                ).raise_for_status()
            put = session.put(
                f"{url}/manifests/{tag}", data=manifest, headers={"Content-Type": MANIFEST}, timeout=10
            )
            put.raise_for_status()
        return put.headers["Docker-Content-Digest"]

    def _config_folder(self, config: dict[str, object]) -> Path:
        folder = self.folder / f"config-{time.monotonic_ns()}"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        return folder


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    return _free_port()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The registry, run as a process for the session."""
    if not (shutil.which("docker-registry") and shutil.which("htpasswd")):
        pytest.skip("docker-registry or htpasswd is missing (apt-get install docker-registry apache2-utils)")
    folder = tmp_path_factory.mktemp("registry")
    passwords = folder / "htpasswd"
    subprocess.run(["htpasswd", "-Bbc", str(passwords), "ada", "s3cret"], check=True, capture_output=True)
    address = f"127.0.0.1:{_free_port()}"
    config = folder / "config.yml"
    config.write_text(_CONFIG.format(root=folder / "data", address=address, passwords=passwords))
    with subprocess.Popen(["docker-registry", "serve", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(address, process)
            yield Registry(address=address, username="ada", password="s3cret", folder=folder)
        finally:
            process.terminate()


@contextmanager
def running_registry(
    storage: Path, folder: Path, *, host: str = "127.0.0.1", tls: tuple[Path, Path] | None = None
) -> Iterator[str]:
    """Run a registry that is open to everybody and keeps its blobs in ``storage``; give its address.

    ``tls`` are its key and its certificate, where it is to encrypt.
    """
    folder.mkdir()
    address = f"{host}:{_free_port()}"
    config = folder / "config.yml"
    text = _CONFIG.format(root=storage, address=address, passwords="").partition("auth:")[0]
    if tls:
        encrypted = f'addr: "{address}", tls: {{key: "{tls[0]}", certificate: "{tls[1]}"}}'
        text = text.replace(f'addr: "{address}"', encrypted)
    config.write_text(text)
    with subprocess.Popen(["docker-registry", "serve", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(address, process)
            yield address
        finally:
            process.terminate()


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((address.split(":")[0], int(address.split(":")[1])), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the registry at {address} does not answer")
