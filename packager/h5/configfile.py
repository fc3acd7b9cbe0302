"""An architecture in a file of its own, beside the weights: held to the rules of one inside a file."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from packager.errors import ModelFileError, UnsafeFileError
from packager.h5.architecture import written_by_keras3
from packager.h5.code import code_findings, custom_objects
from packager.h5.config import Json, never_compiled, parse_config, walk
from packager.h5.lambdas import LambdaTrust, lambda_hint
from packager.h5.model import MOST_FINDINGS
from packager.h5.spec import read_spec
from packager.values import Finding, Severity

CONFIG_SUFFIXES = (".json", ".yaml", ".yml", ".toml")
"""Of files that hold an architecture: as Keras writes it, or (TOML) as ``packager.h5.spec`` reads it."""
_LARGEST = 32 * 2**20


def read_config_file(path: Path, *, leave_open: bool = False) -> dict[str, Json]:
    """Return the architecture in a JSON or YAML file, as ``model.to_json()`` or ``to_yaml()`` wrote it.

    Or the stack of layers that a TOML file tells, activations left open where that is allowed. Raises
    ModelFileError or UsageError where it is none.
    """
    if path.suffix == ".toml":
        return read_spec(path, leave_open=leave_open)
    try:
        if path.stat().st_size > _LARGEST:
            raise ModelFileError(f"{os.fspath(path)!r} is no architecture: it is larger than 32 MiB")
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".json":
            from packager.h5.plainyaml import read_yaml  # few files need it

            text = json.dumps(read_yaml(text))
    except OSError as error:
        raise ModelFileError(
            f"cannot read {os.fspath(path)!r}: {error.strerror}", hint="check the path"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ModelFileError(
            f"{os.fspath(path)!r} is no architecture: {error}", hint="write it with model.to_json()"
        ) from error
    config, findings = parse_config(text, path.name)
    if findings:
        raise ModelFileError(
            f"{os.fspath(path)!r} is no architecture: {findings[0].message}",
            hint="write it with model.to_json()",
        )
    plain: dict[str, Json] = never_compiled(config)
    return plain


def custom_classes(config: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the classes and functions in an architecture that Keras does not have."""
    nodes = tuple(walk(dict(config), "architecture"))
    return tuple(custom_objects(nodes, keras3=written_by_keras3(nodes)))


def require_safe_config(
    config: Mapping[str, Json], path: Path, supplied: Collection[str], trust: LambdaTrust
) -> tuple[Finding, ...]:
    """Return findings, or raise UnsafeFileError where rebuilding would run, import or read something."""
    nodes = tuple(walk(dict(config), "architecture"))
    keras3 = written_by_keras3(nodes)
    found = code_findings(nodes, keras3=keras3, supplied=supplied, run_bytecode=trust.bytecode)
    findings = tuple(itertools.islice(found, MOST_FINDINGS))
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        raise UnsafeFileError(
            f"refused {os.fspath(path)!r}: {errors[0].message}",
            hint=lambda_hint(errors),
            details="\n".join(f"{e.rule} {e.path}: {e.message}" for e in errors),
        )
    return findings
