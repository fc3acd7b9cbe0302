"""Images pushed with no engine to a real registry: its connection cut, its answers bent, its door shut."""

from __future__ import annotations

import http.client
import http.server
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures_command import Run
from fixtures_registry import Registry
from image_models import make_servable
from registry_proxy import Proxy

from packager.errors import (
    DigestMismatchError,
    RegistryAuthError,
    RegistryError,
    RegistryUnreachableError,
    UsageError,
)
from packager.image import build_image, push_image, read_layout, transport
from packager.progress import Event
from packager.values import ImageReference, ServableVersion

pytestmark = pytest.mark.registry


@pytest.fixture(autouse=True)
def logged_in(registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(registry.docker_config()))
    monkeypatch.setenv("PACKAGER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(transport, "PAUSES", (0.01, 0.01, 0.01))


@pytest.fixture
def servable(tmp_path: Path) -> ServableVersion:
    """A version whose weights no registry has yet."""
    return make_servable(tmp_path / "models")


def details(events: list[Event], word: str) -> int:
    return sum(word in event.text for event in events)


def test_what_is_there_is_taken_over_and_not_sent_again(
    registry: Registry, base: str, servable: ServableVersion, reference: ImageReference, tmp_path: Path
) -> None:
    events: list[Event] = []
    built = build_image([servable], reference, base=base, engine=None, publish=True, report=events.append)
    assert built.digest == registry.digest(reference.path, "1")
    assert details(events, "taken over from packager-test/base") == 1
    sent = sum(1 for _ in (tmp_path / "cache").rglob("*") if _.is_file())
    assert sent == 1, "of the base, only the config was fetched"
    events.clear()
    again = build_image([servable], reference, base=base, engine=None, publish=True, report=events.append)
    assert again.digest == built.digest
    assert details(events, "there already") == 4
    (servable.path / "saved_model.pb").write_bytes(b"another graph")
    events.clear()
    build_image([servable], reference, base=base, engine=None, publish=True, report=events.append)
    assert details(events, "there already") == 2, "the base's layer and the weights"
    (told,) = [event.text for event in events if event.text.startswith("sent ")]
    assert int(told.split()[1]) < 50_000


def test_a_layout_is_pushed_by_the_command(
    packager: Run, registry: Registry, base: str, servable: ServableVersion, reference: ImageReference
) -> None:
    built = packager(
        *("build", servable.path.parent, "--tag", reference, "--base", base),
        *("--engine", "none", "--oci-layout", "image", "--tarball", "image.tar", "--json"),
    )
    assert built.code == 0, built.err
    pushed = packager("push", "--from", "image", reference, "--json")
    assert pushed.code == 0, pushed.err
    assert pushed.json["digest"] == built.json["digest"] == registry.digest(reference.path, "1")
    absent = packager("push", "--from", "absent", reference)
    assert absent.code == 24
    assert "is no image layout" in absent.err


def test_an_image_is_verified_from_its_registry_alone(
    packager: Run, registry: Registry, base: str, servable: ServableVersion, reference: ImageReference
) -> None:
    model = servable.path.parent
    built = packager("build", model, "-t", reference, "--base", base, "--engine", "none", "--push", "--json")
    assert built.code == 0, built.err
    assert built.json["digest"] == registry.digest(reference.path, "1")
    clone = model.parent.parent / "clone" / "digits"
    shutil.copytree(model, clone)
    options = ("--base", base, "--engine", "none")
    same = packager("build", clone, "--verify", reference, *options, "--json")
    assert same.code == 0, same.err
    assert same.json == {"reference": str(reference), "image_id": built.json["image_id"]}
    (clone / "1" / "saved_model.pb").write_bytes(b"tampered")
    other = packager("build", clone, "--verify", reference, *options)
    assert other.code == 43
    assert "layer 3 (packager: graphs, contracts and settings): sha256:" in other.err
    assert "layer 2" not in other.err
    dated = packager("build", model, "--verify", reference, *options, SOURCE_DATE_EPOCH="1700000000")
    assert dated.code == 43
    absent = packager("build", model, "--verify", f"{reference}-absent", *options)
    assert absent.code == 24


@pytest.mark.parametrize("remembers", [True, False])
def test_an_upload_that_is_cut_is_finished(
    registry: Registry,
    base: str,
    servable: ServableVersion,
    behind: Callable[..., ImageReference],
    remembers: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The proxy hands the first part of a layer on, and hangs up.

    This registry refuses to tell how far such an upload came, others do: then the proxy does. It writes what
    it got a moment after it has answered, and takes nothing more before.
    """
    monkeypatch.setattr(transport, "PAUSES", (0.2, 0.2, 0.2))
    accepted: dict[str, str] = {}
    once = threading.Lock()

    def cut_once(proxy: Proxy) -> bool:
        if proxy.command == "GET" and "/blobs/uploads/" in proxy.path and remembers:
            proxy.answer(204, **accepted)
            return True
        if proxy.command != "PATCH" or not once.acquire(blocking=False):
            return False
        upstream = http.client.HTTPConnection(proxy.target, timeout=20)
        names = ("Authorization", "Content-Type", "Host")
        headers = {name: proxy.headers[name] for name in names}
        upstream.request("PATCH", proxy.path, body=next(proxy.chunks()), headers=headers)
        answer = upstream.getresponse()
        accepted.update({name: str(answer.getheader(name)) for name in ("Location", "Range")})
        proxy.close_connection = True
        proxy.connection.shutdown(socket.SHUT_RDWR)
        return True

    events: list[Event] = []
    reference = behind(cut_once)
    built = build_image([servable], reference, base=base, engine=None, publish=True, report=events.append)
    assert built.digest == registry.digest(reference.path, str(reference.tag))
    received = int(accepted["Range"].removeprefix("0-")) + 1
    assert received >= 512
    assert details(events, f"goes on after {received} bytes") == remembers
    assert details(events, "begins anew") == (not remembers)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_registry_is_asked_again(
    registry: Registry,
    base: str,
    servable: ServableVersion,
    behind: Callable[..., ImageReference],
    status: int,
) -> None:
    refused: set[tuple[str, str]] = set()

    def once_each(proxy: Proxy) -> bool:
        key = (proxy.command, proxy.path.split("?")[0].rpartition("/")[2])
        if key in refused or proxy.command == "PATCH":
            return False
        refused.add(key)
        proxy.answer(status, Retry_After="0")
        return True

    reference = behind(once_each)
    built = build_image([servable], reference, base=base, engine=None, publish=True)
    assert built.digest == registry.digest(reference.path, str(reference.tag))
    assert {command for command, _ in refused} >= {"HEAD", "POST", "PUT", "GET"}


def test_a_registry_that_stays_broken(
    base: str, servable: ServableVersion, behind: Callable[..., ImageReference]
) -> None:
    def broken(proxy: Proxy) -> bool:
        if proxy.command == "PATCH":
            proxy.answer(500)
        return proxy.command == "PATCH"

    with pytest.raises(RegistryUnreachableError, match="answered 500"):
        build_image([servable], behind(broken), base=base, engine=None, publish=True)


def test_a_registry_that_tells_another_digest_is_not_believed(
    base: str, servable: ServableVersion, behind: Callable[..., ImageReference]
) -> None:
    other = "sha256:" + "0" * 64

    def lie(command: str, headers: dict[str, str]) -> dict[str, str]:
        return headers | ({"Docker-Content-Digest": other} if command == "PUT" else {})

    with pytest.raises(DigestMismatchError, match=f"holds {other} as packager-test/behind:1, not sha256:"):
        build_image([servable], behind(bend=lie), base=base, engine=None, publish=True)


def test_a_weight_file_that_changes_is_refused_by_the_registry(
    registry: Registry, base: str, servable: ServableVersion, reference: ImageReference, tmp_path: Path
) -> None:
    build_image([servable], reference, base=base, engine=None, layout=tmp_path / "layout")
    packed = read_layout(tmp_path / "layout")
    blob = packed.image.layers[1].blob
    path = tmp_path / "layout" / "blobs" / "sha256" / blob.digest.removeprefix("sha256:")
    path.write_bytes(bytes(blob.size))
    with pytest.raises(RegistryError, match="answered 400"):
        push_image(packed, reference)


def test_credentials_that_are_refused(
    registry: Registry,
    base: str,
    servable: ServableVersion,
    reference: ImageReference,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build_image([servable], reference, base=base, engine=None, layout=tmp_path / "layout")
    packed = read_layout(tmp_path / "layout")
    for config in (registry.empty_docker_config(), registry.docker_config(password="wrong")):
        monkeypatch.setenv("DOCKER_CONFIG", str(config))
        with pytest.raises(RegistryAuthError, match="refuses these credentials") as caught:
            push_image(packed, reference)
        assert caught.value.hint == f"docker login {registry.address}"
    with pytest.raises(UsageError, match="only a tag"):
        push_image(packed, reference.with_digest(packed.digest))
