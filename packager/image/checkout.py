"""Which revision of which repository a model was built from, where it lies in a git checkout."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A git checkout as labels tell of it."""

    revision: str
    """The commit, with ``-dirty`` where tracked files were changed since."""
    source: str | None
    """The URL of ``origin``, without any credentials in it."""


def checkout_of(folder: Path) -> Checkout | None:
    """Return the checkout that ``folder`` lies in, ``None`` where it lies in none or there is no git."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    origin = _git(folder, "remote", "get-url", "origin")
    return Checkout(revision=f"{commit}-dirty" if changed else commit, source=origin and _public(origin))


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints, ``None`` where it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _public(url: str) -> str:
    """Return a remote's URL without user name and password; git's short form for ssh has none."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if parts.scheme else url
