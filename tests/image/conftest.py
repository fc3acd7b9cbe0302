"""What tests of images share: a base in the registry, a reference of their own, a proxy before both."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fixtures_registry import Registry
from registry_proxy import Fault, Proxy

from packager.image.blobs import BlobStore
from packager.image.image import Image
from packager.values import ImageReference


@pytest.fixture(scope="package")
def base(registry: Registry, tiny_image: tuple[Image, BlobStore]) -> str:
    registry.upload(*tiny_image, "packager-test/base", "1")
    return f"{registry.address}/packager-test/base:1"


@pytest.fixture
def reference(registry: Registry, tmp_path: Path) -> ImageReference:
    return ImageReference.parse(f"{registry.address}/packager-test/{tmp_path.name.replace('_', '-')}:1")


@pytest.fixture
def behind(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ImageReference]]:
    """Puts a proxy with a fault before the registry, and names an image behind it."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def put(
        fault: Fault = lambda _: False,
        bend: Callable[[str, dict[str, str]], dict[str, str]] = lambda _, headers: headers,
    ) -> ImageReference:
        handler = type(
            "Handler",
            (Proxy,),
            {"target": registry.address, "fault": staticmethod(fault), "bend": staticmethod(bend)},
        )
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"127.0.0.1:{server.server_address[1]}"
        config = registry.docker_config() / "config.json"
        auth = json.loads(config.read_text())["auths"][registry.address]
        config.write_text(json.dumps({"auths": {registry.address: auth, address: auth}}))
        monkeypatch.setenv("DOCKER_CONFIG", str(config.parent))
        return ImageReference.parse(f"{address}/packager-test/behind:{len(servers)}")

    yield put
    for server in servers:
        server.shutdown()
        server.server_close()
