"""What an image tells of itself: labels of its config, and annotations of its manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from packager import labels as label
from packager.errors import ModelFileError
from packager.image.checkout import Checkout
from packager.image.official import newest_version
from packager.values import ServableVersion

OCI = "org.opencontainers.image"

REVISION, SOURCE = f"{OCI}.revision", f"{OCI}.source"
_NONE = "none"

BASE_NAME, BASE_DIGEST = f"{OCI}.base.name", f"{OCI}.base.digest"


def exporter(servables: Sequence[ServableVersion]) -> str | None:
    """Return the newest TensorFlow that exported one of them, where their contracts tell."""
    return newest_version((_contract(servable) or {}).get("tensorflow") for servable in servables)


def model_labels(
    servables: Sequence[ServableVersion], tensorflow: str | None, checkout: Checkout | None
) -> dict[str, str]:
    """Return the labels that tell of the models, whatever their base is."""
    names = sorted({servable.name for servable in servables})
    one = len(names) == 1
    versions = [str(s.version) if one else f"{s.name}/{s.version}" for s in servables]
    contracts = [_contract_digest(servable) for servable in servables]
    found = {
        label.MODEL: ",".join(names),
        label.VERSIONS: ",".join(versions),
        label.TENSORFLOW: tensorflow,
        label.SOURCE: _each(_sources(servables)),
        label.CONTRACTS: ",".join(digest or _NONE for digest in contracts) if any(contracts) else None,
        f"{OCI}.title": ", ".join(names),
        f"{OCI}.version": versions[-1] if one else None,
        REVISION: checkout.revision if checkout else None,
        SOURCE: checkout.source if checkout else None,
    }
    return {key: value for key, value in found.items() if value}


def annotations_of(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that the image specification knows as annotations of a manifest too, and ours."""
    ours = (label.SOURCE, label.CONTRACTS, label.VERSIONS)
    return {key: value for key, value in labels.items() if key.startswith(f"{OCI}.") or key in ours}


def contract_path(version_folder: str) -> str:
    """Return where the contract of a version lies, on disk as in an image."""
    return f"{version_folder}/assets.extra/packager/contract.json"


def parse_each(value: str) -> dict[str, str]:
    """Read a label that tells something of each version: ``digits/1=sha256:…,digits/2=sha256:…``."""
    return dict(entry.split("=", 1) for entry in value.split(",") if "=" in entry)


def contracts_told(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the digests of the contracts that labels tell of: by ``digits/1``."""
    model = labels.get(label.MODEL, "")
    servables = [v if "/" in v else f"{model}/{v}" for v in labels.get(label.VERSIONS, "").split(",")]
    digests = labels.get(label.CONTRACTS, "").split(",")
    return {
        name: digest for name, digest in zip(servables, digests, strict=False) if digest not in ("", _NONE)
    }


def _each(told: Mapping[ServableVersion, str]) -> str:
    return ",".join(f"{servable.name}/{servable.version}={text}" for servable, text in told.items())


def _sources(servables: Sequence[ServableVersion]) -> dict[ServableVersion, str]:
    contracts = {servable: _contract(servable) for servable in servables}
    return {s: f"sha256:{found['source']['sha256']}" for s, found in contracts.items() if found}


def _contract_digest(servable: ServableVersion) -> str | None:
    path = Path(contract_path(str(servable.path)))
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" if path.is_file() else None


def _contract(servable: ServableVersion) -> dict[str, Any] | None:
    """Read what a contract tells of its model's origin; its samples are for others to read."""
    path = Path(contract_path(str(servable.path)))
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        document["source"]["sha256"], document["tensorflow"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(
            f"unreadable contract '{path}': {error}",
            hint="convert the model again: packager convert --force",
        ) from error
    return document
