"""Registries behind certificates of their own, without encryption, and two of them at once."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest
from fixtures_command import Run
from fixtures_registry import Registry, running_registry
from image_models import make_servable

from packager.errors import RegistryUnreachableError
from packager.image import push_layout, read_layout, transport
from packager.values import AS_DOCKER_DOES, ImageReference

pytestmark = pytest.mark.registry


@pytest.fixture(autouse=True)
def logged_in(registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(registry.docker_config()))
    monkeypatch.setenv("PACKAGER_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def layout(packager: Run, base: str, tmp_path: Path) -> str:
    model = make_servable(tmp_path / "models", weights=2 << 20).path.parent
    options = ("-t", "digits:1", "--base", base, "--engine", "none", "--oci-layout", "image")
    built = packager("build", model, *options)
    assert built.code == 0, built.err
    return "image"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A key and a certificate for this machine that no authority has signed."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tests"),
            *(
                "-addext",
                f"subjectAltName=IP:{outward_address()}",
                "-keyout",
                str(key),
                "-out",
                str(certificate),
            ),
        ],
        check=True,
        capture_output=True,
    )
    return key, certificate


def outward_address() -> str:
    """Return an address of this machine that is not its loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        address: str = probe.getsockname()[0]
    return address


def test_http_is_spoken_off_loopback_only_when_asked(packager: Run, layout: str, tmp_path: Path) -> None:
    with running_registry(tmp_path / "data", tmp_path / "plain", host=outward_address()) as address:
        refused = packager("push", f"{address}/digits:1", "--from", layout)
        assert refused.code == 41
        assert f"the registry '{address}' does not encrypt" in refused.err
        assert "hint: if that is meant to be, say so: --plain-http" in refused.err
        done = packager("push", f"{address}/digits:1", "--from", layout, "--plain-http", "--json")
        assert done.code == 0, done.err
        assert packager("verify", f"{address}/digits:1", "--plain-http").code == 44, "it has no contract"


def test_a_certificate_of_one_s_own_has_to_be_named(
    packager: Run, layout: str, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    with running_registry(
        tmp_path / "data", tmp_path / "tls", host=outward_address(), tls=certificate
    ) as address:
        refused = packager("push", f"{address}/digits:1", "--from", layout)
        assert refused.code == 41
        assert "is of no authority that is trusted here" in refused.err
        assert "--ca-cert FILE" in refused.err
        _, trusted = certificate
        done = packager("push", f"{address}/digits:1", "--from", layout, "--ca-cert", trusted)
        assert done.code == 0, done.err
        absent = packager("push", f"{address}/digits:1", "--from", layout, "--ca-cert", "absent.pem")
        assert absent.code == 2


def test_a_certificate_that_docker_trusts_is_trusted(
    packager: Run,
    layout: str,
    certificate: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Path("/etc/docker/certs.d") == transport._CERTIFICATES
    monkeypatch.setattr(transport, "_CERTIFICATES", tmp_path / "certs.d")
    with running_registry(
        tmp_path / "data", tmp_path / "tls", host=outward_address(), tls=certificate
    ) as address:
        names = [ImageReference.parse(f"{address}/digits:1")]
        with pytest.raises(RegistryUnreachableError, match="no authority that is trusted here"):
            push_layout(tmp_path / layout, names, attest=False, access=AS_DOCKER_DOES)
        trusted = tmp_path / "certs.d" / address / "ca.crt"
        trusted.parent.mkdir(parents=True)
        trusted.write_bytes(certificate[1].read_bytes())
        pushed = push_layout(tmp_path / layout, names, attest=False, access=AS_DOCKER_DOES)
        assert pushed.digest == read_layout(tmp_path / layout).digest


def test_one_push_to_two_registries(packager: Run, registry: Registry, layout: str, tmp_path: Path) -> None:
    with running_registry(tmp_path / "data", tmp_path / "second") as second:
        names = (f"{registry.address}/two/digits:1", f"{second}/elsewhere/digits:2")
        done = packager("push", *names, "--from", layout, "--image-refs", "refs.txt", "--json")
        assert done.code == 0, done.err
        digest = done.json["digest"]
        assert registry.digest("two/digits", "1") == digest
        pinned = [f"{registry.address}/two/digits@{digest}", f"{second}/elsewhere/digits@{digest}"]
        assert (tmp_path / "refs.txt").read_text().splitlines() == pinned
        one_password = ("--username", "ada", "--password-stdin")
        refused = packager("push", *names, "--from", layout, *one_password, stdin="s3cret\n")
        assert refused.code == 2
        assert "one password for several registries" in refused.err
