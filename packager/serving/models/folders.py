"""The version folders under a model's base path, as the file system has them now."""

from __future__ import annotations

import re
from pathlib import Path

from packager.serving.log import log
from packager.serving.models.config import ModelConfig, has_scheme, local_path
from packager.serving.models.policies import Specific
from packager.serving.status import StatusError, invalid_argument

_INT64 = range(-(2**63), 2**63)


def wanted_versions(model: ModelConfig) -> dict[int, Path]:
    """Return the folders of the versions that the model's policy wants, the highest version first.

    Raises StatusError where the base path cannot be read: then nothing is known of the versions, which
    is not the same as that there are none.
    """
    found = _find_versions(model)
    chosen = model.policy.choose(found)
    if isinstance(model.policy, Specific):
        for version in sorted(model.policy.versions.difference(found)):
            log.warning(
                "Version %d of servable %s, which was requested to be served as a 'specific' version in the "
                "servable's version policy, was not found in the file system",
                version,
                model.name,
            )
    if not chosen:
        log.warning(
            "No versions of servable %s found under base path %s. "
            "Did you forget to name your leaf directory as a number (eg. '/1/')?",
            model.name,
            model.base_path,
        )
    return {version: found[version] for version in chosen}


def _find_versions(model: ModelConfig) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for child in _children(model):
        version = _version_number(child)
        if version is None:
            continue
        if version in found:
            log.warning(
                "Duplicate version directories detected. "
                "Version %d will be loaded from %s, %s will be ignored.",
                version,
                child,
                found[version].name,
            )
        found[version] = Path(local_path(model.base_path), child)
    return found


def _children(model: ModelConfig) -> list[str]:
    path = local_path(model.base_path)
    if has_scheme(path):
        scheme = path.partition(":")[0]
        raise _no_base_path(
            model, f"UNIMPLEMENTED: File system scheme '{scheme}' not implemented (file: '{path}')"
        )
    try:
        return sorted(child.name for child in Path(path).iterdir())
    except FileNotFoundError as error:
        raise _no_base_path(model, f"NOT_FOUND: {path} not found") from error
    except OSError as error:
        raise _no_base_path(model, f"UNKNOWN: {path}; {error.strerror}") from error


def _no_base_path(model: ModelConfig, reason: str) -> StatusError:
    return invalid_argument(
        f"Could not find base path {model.base_path} for servable {model.name} with error {reason}"
    )


def _version_number(name: str) -> int | None:
    """Read a folder's name as an int64, as ``strtoll`` does: ``00000123`` is 123."""
    if not re.fullmatch(r"\s*-?[0-9]+\s*", name, re.ASCII):
        return None
    version = int(name)
    return version if version in _INT64 else None
