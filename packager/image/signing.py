"""Signatures by cosign, where that command is installed: made, and checked."""

from __future__ import annotations

import shutil
import subprocess

from packager.errors import ProvenanceError, UsageError
from packager.image.registry import Repository
from packager.values import Check, ImageReference, PushedImage

_COSIGN = "cosign"
_INSTALL = "install it: https://docs.sigstore.dev/cosign/system_config/installation"


def check_cosign() -> None:
    """Raise UsageError where cosign is not installed."""
    if shutil.which(_COSIGN) is None:
        raise UsageError("cosign is not installed, which signs images", hint=_INSTALL)


def sign(pushed: PushedImage, key: str) -> None:
    """Sign an image under all its names with ``key``, a file or a URI that cosign knows.

    The key's password is COSIGN_PASSWORD, the registry's that of ``docker login``. Raises ProvenanceError.
    """
    for image in (pushed, *pushed.also):
        done = _run("sign", "--yes", "--key", key, str(image.pinned))
        if done.returncode:
            raise ProvenanceError(
                f"{image.pinned} was pushed, and cosign did not sign it",
                hint=f"cosign sign --key {key} {image.pinned}",
                details=done.stderr,
            )


def signature_check(
    reference: ImageReference, digest: str, repository: Repository, *, key: str | None
) -> Check:
    """Check the signature of an image with ``key``; without one, tell only whether there is any."""
    if key is None:
        signed = repository.find_manifest(f"{digest.replace(':', '-')}.sig") is not None
        found = "signed, and not checked: --key FILE checks it" if signed else "not signed"
        return Check(name="signature", ok=True, found=found, required=False)
    check_cosign()
    done = _run("verify", "--key", key, str(reference.with_digest(digest)))
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["cosign gave no reason"]
        return Check(name="signature", ok=False, found=lines[-1], fix=f"cosign sign --key KEY {reference}")
    return Check(name="signature", ok=True, found=f"signed with {key}")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_COSIGN, *arguments], capture_output=True, text=True, check=False)
