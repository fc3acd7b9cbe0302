"""Reading from a registry that hands out tokens, and docker's stored credentials.

The registry here is a stand-in: those with a token service are out of reach for tests. What it answers is
by the distribution specification; a real registry, with basic credentials, is used in ``tests/image``.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from packager.errors import (
    BaseUnavailableError,
    DigestMismatchError,
    RegistryAuthError,
    RegistryError,
    RegistryUnreachableError,
)
from packager.image import transport
from packager.image.cache import Cache
from packager.image.credentials import Credentials, credentials_for
from packager.image.image import document
from packager.image.registry import Repository
from packager.image.remote import remote_image
from packager.progress import Event
from packager.sidebyside import Stop, side_by_side
from packager.values import ImageReference

DOCKER = "application/vnd.docker"


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(kw_only=True)
class TokenRegistry:
    """A registry whose token service knows one account."""

    address: str = ""
    manifests: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    account: str | None = "ada:s3cret"
    identity_token: str = "long-lived"
    answer: tuple[int, bytes] | None = None

    def reference(self, name: str) -> ImageReference:
        return ImageReference.parse(f"{self.address}/team/base{name}")

    def add(self, content: bytes) -> dict[str, object]:
        self.blobs[sha256(content)] = content
        return {"digest": sha256(content), "size": len(content)}

    def add_image(self, architecture: str) -> tuple[str, bytes]:
        """Add an image of two layers, one compressed, as Docker writes its manifests."""
        layers = [b"lower layer of " + architecture.encode(), b"upper layer"]
        config = document(
            {
                "os": "linux",
                "architecture": architecture,
                "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
            }
        )
        manifest = document(
            {
                "schemaVersion": 2,
                "mediaType": f"{DOCKER}.distribution.manifest.v2+json",
                "config": self.add(config),
                "layers": [
                    {
                        "mediaType": f"{DOCKER}.image.rootfs.diff.tar.gzip",
                        **self.add(gzip.compress(layers[0], mtime=0)),
                    },
                    {"mediaType": f"{DOCKER}.image.rootfs.diff.tar", **self.add(layers[1])},
                ],
            }
        )
        self.manifests[sha256(manifest)] = manifest
        return sha256(manifest), config


class _Handler(http.server.BaseHTTPRequestHandler):
    registry: TokenRegistry

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.registry.requests.append(url.path)
        if url.path == "/token":
            self._token(parse_qs(url.query))
        elif self.headers.get("Authorization") != "Bearer of-ada":
            realm = f'realm="http://{self.registry.address}/token",service="tests"'
            challenge = f'Bearer {realm},scope="repository:team/base:pull"'
            self._send(401, b"{}", {"WWW-Authenticate": challenge})
        elif self.registry.answer:
            self._send(*self.registry.answer)
        else:
            kind, name = url.path.removeprefix("/v2/team/base/").split("/")
            content = (self.registry.manifests if kind == "manifests" else self.registry.blobs).get(name)
            self._send(404 if content is None else 200, content or b"{}")

    def do_POST(self) -> None:
        """Give a token for a refresh token (distribution.github.io/distribution/spec/auth/oauth)."""
        self.registry.requests.append(urlsplit(self.path).path)
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        assert form.pop("client_id")
        assert form == {
            "service": ["tests"],
            "scope": ["repository:team/base:pull"],
            "grant_type": ["refresh_token"],
            "refresh_token": [self.registry.identity_token],
        }
        self._send(200, b'{"access_token": "of-ada"}')

    def _token(self, query: dict[str, list[str]]) -> None:
        assert query == {"service": ["tests"], "scope": ["repository:team/base:pull"]}
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        if base64.b64decode(given).decode() == (self.registry.account or ""):
            self._send(200, b'{"access_token": "of-ada"}')
        else:
            self._send(401, b"{}")

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def token_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TokenRegistry]:
    registry = TokenRegistry()
    handler = type("Handler", (_Handler,), {"registry": registry})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        registry.address = f"127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        log_in(monkeypatch, tmp_path, registry.address, "ada:s3cret")
        yield registry
        server.shutdown()


def log_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str, secret: str) -> None:
    auth = base64.b64encode(secret.encode()).decode()
    write_config(monkeypatch, tmp_path, {"auths": {key: {"auth": auth}}})


def write_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config: object) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "PAUSES", (0.0, 0.0))


def test_an_image_s_layers_are_fetched_when_read_and_once(
    token_registry: TokenRegistry, cache: Cache
) -> None:
    digest, config = token_registry.add_image("amd64")
    token_registry.manifests["1"] = token_registry.manifests[digest]
    events: list[Event] = []
    found = remote_image(token_registry.reference(":1"), "linux/amd64", cache, report=events.append)
    assert found.digest == digest
    assert found.image.config_document == config
    layers = found.image.layers
    assert [layer.media_type.rpartition(".")[2] for layer in layers] == ["tar+gzip", "tar"]
    assert not any(cache.blobs.has(layer.blob) for layer in layers)
    content = [b"".join(found.blobs.chunks(layer.blob)) for layer in layers]
    assert [sha256(part) for part in content] == [layer.blob.digest for layer in layers]
    assert (events[-1].done, events[-1].total) == (layers[-1].blob.size, layers[-1].blob.size)
    token_registry.requests.clear()
    again = remote_image(token_registry.reference(f"@{digest}"), "linux/amd64", cache)
    assert again.image == found.image
    assert [b"".join(again.blobs.chunks(layer.blob)) for layer in layers] == content
    assert not any("blobs" in path for path in token_registry.requests)


def test_an_index_leads_to_the_platform(token_registry: TokenRegistry, cache: Cache) -> None:
    entries = []
    for architecture in ("amd64", "arm64"):
        digest, _ = token_registry.add_image(architecture)
        entries.append({"digest": digest, "platform": {"os": "linux", "architecture": architecture}})
    attestation = {"digest": entries[0]["digest"], "platform": {"os": "unknown", "architecture": "unknown"}}
    index = document({"schemaVersion": 2, "manifests": [attestation, *entries]})
    token_registry.manifests["1"] = index
    found = remote_image(token_registry.reference(":1"), "linux/arm64", cache)
    assert (found.image.platform, found.digest) == ("linux/arm64", sha256(index))
    with pytest.raises(BaseUnavailableError, match=r"not made for linux/riscv64, only for .*linux/arm64"):
        remote_image(token_registry.reference(":1"), "linux/riscv64", cache)


def test_a_blob_with_other_content_is_refused(token_registry: TokenRegistry, cache: Cache) -> None:
    digest, _ = token_registry.add_image("amd64")
    layer = json.loads(token_registry.manifests[digest])["layers"][0]["digest"]
    token_registry.blobs[layer] = b"something else"
    found = remote_image(token_registry.reference(f"@{digest}"), "linux/amd64", cache)
    with pytest.raises(DigestMismatchError, match=layer):
        list(found.blobs.chunks(found.image.layers[0].blob))
    assert not cache.blobs.path(layer).exists()


def test_a_manifest_with_other_content_is_refused(token_registry: TokenRegistry, cache: Cache) -> None:
    digest, _ = token_registry.add_image("amd64")
    token_registry.manifests[digest] += b"\n"
    with pytest.raises(DigestMismatchError, match=digest):
        remote_image(token_registry.reference(f"@{digest}"), "linux/amd64", cache)


def test_an_image_that_is_not_there(token_registry: TokenRegistry, cache: Cache) -> None:
    with pytest.raises(RegistryError, match="has no 'team/base' with 'manifests/9'"):
        remote_image(token_registry.reference(":9"), "linux/amd64", cache)


def test_a_registry_that_fails(token_registry: TokenRegistry, cache: Cache) -> None:
    token_registry.answer = (500, b"{}")
    with pytest.raises(RegistryError, match="answered 500"):
        remote_image(token_registry.reference(":1"), "linux/amd64", cache)


@pytest.mark.parametrize("secret", ["ada:wrong", ""])
def test_credentials_that_the_token_service_refuses(
    token_registry: TokenRegistry, cache: Cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret: str
) -> None:
    log_in(monkeypatch, tmp_path, token_registry.address, secret)
    with pytest.raises(RegistryAuthError) as caught:
        remote_image(token_registry.reference(":1"), "linux/amd64", cache)
    assert caught.value.hint == f"docker login {token_registry.address}"


@pytest.mark.parametrize("kept_by", ["config", "helper"])
def test_an_identity_token_is_exchanged(
    token_registry: TokenRegistry, cache: Cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept_by: str
) -> None:
    """As ``docker login`` leaves one behind, in its config or with a helper under the name ``<token>``."""
    digest, config = token_registry.add_image("amd64")
    if kept_by == "config":
        entry = {"auth": base64.b64encode(b"ada:").decode(), "identitytoken": token_registry.identity_token}
        write_config(monkeypatch, tmp_path, {"auths": {token_registry.address: entry}})
    else:
        helper = tmp_path / "docker-credential-tests"
        told = json.dumps({"Username": "<token>", "Secret": token_registry.identity_token})
        helper.write_text(f"#!/bin/sh\necho '{told}'\n")
        helper.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        write_config(monkeypatch, tmp_path, {"credHelpers": {token_registry.address: "tests"}})
    found = remote_image(token_registry.reference(f"@{digest}"), "linux/amd64", cache)
    assert found.image.config_document == config
    assert token_registry.requests.count("/token") == 1


class _Scopes(http.server.BaseHTTPRequestHandler):
    """Wants a token of its own for every blob, as some do for a blob that is taken over from elsewhere."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        name = url.path.rpartition("/")[2]
        body, status, headers = b"content of " + name.encode(), 200, {}
        if name == "token":
            body = json.dumps({"token": parse_qs(url.query)["scope"][0]}).encode()
        elif self.headers.get("Authorization") != f"Bearer {name}":
            realm = f"http://127.0.0.1:{self.server.server_address[1]}/token"  # type: ignore[misc]
            status, headers = 401, {"WWW-Authenticate": f'Bearer realm="{realm}",scope="{name}"'}
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def test_threads_do_not_take_each_other_s_tokens_away() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Scopes) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        repository = Repository(ImageReference.parse(f"127.0.0.1:{server.server_address[1]}/team/base"))

        def read(name: str, _: Stop) -> bytes:
            return b"".join(repository.blob(name))

        names = [f"blob-{number % 4}" for number in range(60)]
        found = side_by_side([partial(read, name) for name in names], workers=4)
        server.shutdown()
    assert found == [b"content of " + name.encode() for name in names]


def test_a_registry_that_is_not_there(cache: Cache, free_port: int) -> None:
    with pytest.raises(RegistryUnreachableError, match=f"127.0.0.1:{free_port}"):
        remote_image(ImageReference.parse(f"127.0.0.1:{free_port}/base:1"), "linux/amd64", cache)


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("ubuntu", "https://registry-1.docker.io/v2/library/ubuntu"),
        ("tensorflow/serving:2.20.0", "https://registry-1.docker.io/v2/tensorflow/serving"),
        ("docker.io/tensorflow/serving", "https://registry-1.docker.io/v2/tensorflow/serving"),
        ("r.example.com/a/b", "https://r.example.com/v2/a/b"),
        ("r.example.com:5000/a", "https://r.example.com:5000/v2/a"),
        ("localhost:5000/a", "http://localhost:5000/v2/a"),
        ("127.1.2.3/a", "http://127.1.2.3/v2/a"),
        ("[::1]:5000/a", "http://[::1]:5000/v2/a"),
        ("10.0.0.1:5000/a", "https://10.0.0.1:5000/v2/a"),
    ],
)
def test_where_a_repository_is(reference: str, url: str) -> None:
    assert Repository(ImageReference.parse(reference)).url == url


@pytest.mark.parametrize(
    ("registry", "key"),
    [
        ("r.example.com", "r.example.com"),
        ("r.example.com", "https://r.example.com"),
        ("r.example.com:5000", "https://r.example.com:5000/v1/"),
        ("docker.io", "https://index.docker.io/v1/"),
    ],
)
def test_credentials_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, registry: str, key: str
) -> None:
    log_in(monkeypatch, tmp_path, key, "ada:with:colon")
    assert credentials_for(registry) == Credentials("ada", "with:colon")
    assert credentials_for("other.example.com") is None


def test_no_config_means_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "absent"))
    assert credentials_for("r.example.com") is None


def test_a_broken_config_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_config(monkeypatch, tmp_path, "{")
    with pytest.raises(RegistryAuthError, match=r"config\.json"):
        credentials_for("r.example.com")


def test_a_credential_helper_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    helper = tmp_path / "docker-credential-tests"
    helper.write_text(
        '#!/bin/sh\nread key\n[ "$key" = r.example.com ] || exit 1\n'
        'echo "{\\"Username\\": \\"$1\\", \\"Secret\\": \\"$key\\"}"\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    write_config(monkeypatch, tmp_path, {"credsStore": "tests"})
    assert credentials_for("r.example.com") == Credentials("get", "r.example.com")
    assert credentials_for("other.example.com") is None
    write_config(monkeypatch, tmp_path, {"credHelpers": {"r.example.com": "absent"}})
    with pytest.raises(RegistryAuthError, match=r"the credential helper 'absent'"):
        credentials_for("r.example.com")
