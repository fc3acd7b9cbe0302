"""What is pushed beside an image, and what ``packager verify`` finds out from the registry alone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from fixtures_command import Run
from fixtures_registry import Registry
from image_models import make_servable, with_contract
from referrers_account import Account

from packager.values import ImageReference, ServableVersion

pytestmark = pytest.mark.registry


@pytest.fixture(autouse=True)
def logged_in(registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(registry.docker_config()))
    monkeypatch.setenv("PACKAGER_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def servable(tmp_path: Path) -> ServableVersion:
    return with_contract(make_servable(tmp_path / "models", weights=2 << 20))


@pytest.fixture
def push(packager: Run, base: str, servable: ServableVersion) -> Callable[..., Any]:
    def run(*references: ImageReference, options: tuple[str, ...] = ()) -> Any:
        tags = [option for reference in references for option in ("--tag", str(reference))]
        done = packager(
            *("build", servable.path.parent, *tags, "--base", base, "--engine", "none", "--push", "--json"),
            *options,
        )
        assert done.code == 0, done.err
        return done.json

    return run


def manifest_of(registry: Registry, path: str, name: str) -> Any:
    return registry.get(path, f"manifests/{name}").json()


def test_an_image_is_verified_with_all_that_is_attached(
    packager: Run, registry: Registry, push: Callable[..., Any], reference: ImageReference
) -> None:
    built = push(reference)
    origin = packager("verify", reference, "--json")
    assert origin.code == 0, origin.err
    assert origin.json["digest"] == built["digest"]
    found = {check["name"]: check["found"] for check in origin.json["checks"]}
    assert found["contracts"] == "digits/1: as the label says"
    assert found["base"].endswith(", 1 layers")
    assert found["sbom"].startswith("CycloneDX, ")
    assert found["provenance"] == "in-toto, SLSA v1, 2 sources"
    assert found["signature"] == "not signed"
    listed = manifest_of(registry, reference.path, built["digest"].replace(":", "-"))["manifests"]
    kinds = {entry["artifactType"]: entry["digest"] for entry in listed}
    assert set(kinds) == {"application/vnd.cyclonedx+json", "application/vnd.in-toto+json"}
    push(reference)
    again = manifest_of(registry, reference.path, built["digest"].replace(":", "-"))["manifests"]
    assert again == listed, "the same image has the same attachments"


def test_a_registry_that_keeps_account_of_referrers(
    packager: Run, registry: Registry, push: Callable[..., Any], behind: Callable[..., ImageReference]
) -> None:
    """The proxy adds to this registry what newer ones do (distribution-spec, Listing Referrers)."""
    account = Account()
    reference = behind(account.take, account.bend)
    built = push(reference)
    described = account.referrers[built["digest"]]
    assert {entry["artifactType"] for entry in described.values()} == {
        "application/vnd.cyclonedx+json",
        "application/vnd.in-toto+json",
    }
    with pytest.raises(requests.HTTPError, match="404"):
        manifest_of(registry, reference.path, built["digest"].replace(":", "-"))
    origin = packager("verify", reference, "--json")
    assert origin.code == 0, origin.err
    assert account.asked == [built["digest"]]
    del described[next(d for d, entry in described.items() if "cyclonedx" in entry["artifactType"])]
    assert "not proven: sbom" in packager("verify", reference).err


def test_the_sbom_is_valid_and_lists_the_model(
    registry: Registry, push: Callable[..., Any], reference: ImageReference
) -> None:
    from cyclonedx.model.bom import Bom

    built = push(reference)
    listed = manifest_of(registry, reference.path, built["digest"].replace(":", "-"))["manifests"]
    (entry,) = [e for e in listed if e["artifactType"] == "application/vnd.cyclonedx+json"]
    (layer,) = manifest_of(registry, reference.path, entry["digest"])["layers"]
    document = registry.get(reference.path, f"blobs/{layer['digest']}").json()
    bom = Bom.from_json(document)  # type: ignore[attr-defined]
    models = [c for c in bom.components if c.type.value == "machine-learning-model"]
    assert [(c.name, c.version, next(iter(c.hashes)).content) for c in models] == [("digits", "1", "a" * 64)]
    assert any(str(c.purl) == "pkg:pypi/tensorflow@2.20.0" for c in bom.components)


def test_an_image_without_attachments_has_no_proven_origin(
    packager: Run, push: Callable[..., Any], reference: ImageReference
) -> None:
    push(reference, options=("--no-attest",))
    origin = packager("verify", reference)
    assert origin.code == 44
    assert "is not proven: sbom, provenance" in origin.err
    assert "hint: push it with packager, which attaches it: packager push REF" in origin.err


def test_another_contract_than_the_label_tells_of(
    packager: Run,
    registry: Registry,
    push: Callable[..., Any],
    reference: ImageReference,
    servable: ServableVersion,
) -> None:
    """The manifest of one image is put under the config of another, as somebody who forges it would."""
    built = push(reference)
    (servable.path / "saved_model.pb").write_bytes(b"another graph")
    contract = servable.path / "assets.extra" / "packager" / "contract.json"
    contract.write_text(contract.read_text() + "\n")
    other = push(reference)
    genuine = manifest_of(registry, reference.path, built["digest"])
    forged = manifest_of(registry, reference.path, other["digest"]) | {"config": genuine["config"]}
    registry.put(reference.path, "manifests/forged", json.dumps(forged).encode(), forged["mediaType"])
    origin = packager("verify", f"{reference.repository}:forged")
    assert origin.code == 44
    assert "contracts: the layer is not sha256:" in origin.err


def test_the_checkout_is_told(
    packager: Run,
    registry: Registry,
    push: Callable[..., Any],
    reference: ImageReference,
    servable: ServableVersion,
    base: str,
) -> None:
    root = servable.path.parents[2]

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        return subprocess.check_output(["git", "-C", str(root), *identity, *arguments], text=True).strip()

    git("init", "-q")
    git("remote", "add", "origin", "https://user:secret@git.example.com/team/models.git")
    git("add", "models")
    git("commit", "-qm", "models")
    built = push(reference)
    told = manifest_of(registry, reference.path, built["digest"])["annotations"]
    assert told["org.opencontainers.image.revision"] == git("rev-parse", "HEAD")
    assert told["org.opencontainers.image.source"] == "https://git.example.com/team/models.git"
    origin = packager("verify", reference, "--json")
    assert origin.code == 0, origin.err
    git("commit", "-q", "--allow-empty", "-m", "later")
    rebuilt = packager(
        "build", servable.path.parent, "--verify", reference, "--base", base, "--engine", "none"
    )
    assert rebuilt.code == 0, rebuilt.err
    (servable.path / "saved_model.pb").write_bytes(b"changed")
    dirty = push(reference)
    told = manifest_of(registry, reference.path, dirty["digest"])["annotations"]
    assert told["org.opencontainers.image.revision"].endswith("-dirty")


def test_several_names_and_a_file_with_pinned_references(
    packager: Run, registry: Registry, push: Callable[..., Any], reference: ImageReference, tmp_path: Path
) -> None:
    other = ImageReference.parse(f"{reference.repository}-copy:2")
    built = push(reference, other, options=("--image-refs", "refs.txt"))
    pinned = [f"{name.repository}@{built['digest']}" for name in (reference, other)]
    assert (tmp_path / "refs.txt").read_text().splitlines() == pinned
    assert built["also"] == [str(other)]
    assert registry.digest(other.path, "2") == registry.digest(reference.path, "1") == built["digest"]
    refused = packager("build", "models/digits", "-t", reference, "--image-refs", "refs.txt")
    assert refused.code == 2


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_compressed_layers_hold_the_same_image(
    packager: Run, registry: Registry, push: Callable[..., Any], reference: ImageReference, kind: str
) -> None:
    plain = push(reference)
    packed = push(reference, options=("--compression", kind))
    assert packed["image_id"] == plain["image_id"]
    assert packed["digest"] != plain["digest"]
    layers = manifest_of(registry, reference.path, packed["digest"])["layers"]
    assert [layer["mediaType"].rpartition("+")[2] for layer in layers[1:]] == [kind, kind]
    assert packager("verify", reference).code == 0


def test_a_password_from_stdin(
    packager: Run, registry: Registry, base: str, servable: ServableVersion, reference: ImageReference
) -> None:
    options = ("push", "--from", "image", reference, "--username", registry.username, "--password-stdin")
    laid = packager(
        *("build", servable.path.parent, "-t", reference, "--base", base, "--engine", "none"),
        *("--oci-layout", "image"),
    )
    assert laid.code == 0, laid.err
    stranger = str(registry.empty_docker_config())
    assert packager(*options[:4], DOCKER_CONFIG=stranger).code == 42
    assert packager(*options, DOCKER_CONFIG=stranger, stdin="wrong\n").code == 42
    done = packager(*options, DOCKER_CONFIG=stranger, stdin=f"{registry.password}\n")
    assert done.code == 0, done.err
    assert registry.password not in done.err + done.out
    assert packager(*options, DOCKER_CONFIG=stranger, stdin="").code == 2


def test_cosign_signs_and_checks_where_it_is_installed(
    packager: Run,
    push: Callable[..., Any],
    reference: ImageReference,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command is a stand-in: it writes down how it was called, and knows one key."""
    cosign = tmp_path / "bin" / "cosign"
    cosign.parent.mkdir()
    cosign.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/called\n'
        'case "$*" in *wrong*) echo "no matching signatures" >&2; exit 1;; esac\n'
    )
    cosign.chmod(0o755)
    absent = packager("verify", reference, "--key", "cosign.pub", PATH="/usr/bin:/bin")
    assert absent.code in (2, 40)
    monkeypatch.setenv("PATH", str(cosign.parent), prepend=":")
    built = push(reference, options=("--sign", "cosign.key"))
    pinned = f"{reference.repository}@{built['digest']}"
    assert (tmp_path / "called").read_text() == f"sign --yes --key cosign.key {pinned}\n"
    assert packager("verify", reference, "--key", "cosign.pub").code == 0
    refused = packager("verify", reference, "--key", "wrong.pub")
    assert refused.code == 44
    assert "signature: no matching signatures" in refused.err
