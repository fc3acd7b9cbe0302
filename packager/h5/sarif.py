"""Findings as SARIF, the format in which code scanners report: OASIS SARIF version 2.1.0."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote as percent

from packager.errors import OutputError, PackagerError
from packager.h5.rules import RULES, Rule
from packager.values import Finding, Inspection, Severity

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

Object = dict[str, Any]


def sarif_of_inspection(
    inspection: Inspection, *, version: str, errors: Mapping[str, str] | None = None
) -> Object:
    """Return the findings of a file as a SARIF log; ``version`` is packager's.

    ``errors`` are the rules of what is no file of Keras, by their ids.
    """
    rules = RULES if errors is None else tuple(map(_error, errors.items()))
    ids = [rule.id for rule in rules]
    results = [_result(finding, inspection.path, ids) for finding in inspection.findings]
    artifact = {"location": _location(inspection.path), "length": inspection.size}
    return _log(
        version, invocation={"executionSuccessful": True}, results=results, artifacts=[artifact], told=rules
    )


def _error(rule: tuple[str, str]) -> Rule:
    return Rule(id=rule[0], severity=Severity.ERROR, summary=rule[1])


def sarif_of_failure(path: Path, error: PackagerError, *, version: str) -> Object:
    """Return a SARIF log that says why a file could not be inspected."""
    notification = {
        "level": "error",
        "message": {"text": error.message},
        "descriptor": {"id": type(error).__name__},
        "locations": [{"physicalLocation": {"artifactLocation": _location(path)}}],
    }
    invocation = {
        "executionSuccessful": False,
        "exitCode": error.exit_code,
        "toolExecutionNotifications": [notification],
    }
    return _log(version, invocation=invocation, results=[], artifacts=[])


def write_sarif(log: Object, path: Path) -> None:
    """Write a SARIF log, or raise OutputError."""
    try:
        path.write_text(json.dumps(log, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"cannot write {str(path)!r}: {(error.strerror or str(error)).lower()}",
            hint="--sarif FILE, in a folder that exists",
        ) from error


def _log(
    version: str,
    *,
    invocation: Object,
    results: Sequence[Object],
    artifacts: Sequence[Object],
    told: Sequence[Rule] = RULES,
) -> Object:
    rules = [
        {
            "id": rule.id,
            "shortDescription": {"text": rule.summary},
            "defaultConfiguration": {"level": rule.severity.value},
        }
        for rule in told
    ]
    driver = {"name": "packager", "version": version, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation],
        "artifacts": list(artifacts),
        "results": list(results),
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding, path: Path, ids: Sequence[str]) -> Object:
    place: Object = {"fullyQualifiedName": finding.path}
    if finding.layer:
        place["name"] = finding.layer
    return {
        "ruleId": finding.rule,
        "ruleIndex": ids.index(finding.rule),
        "level": finding.severity.value,
        "message": {"text": finding.message},
        "locations": [
            {"physicalLocation": {"artifactLocation": _location(path)}, "logicalLocations": [place]}
        ],
        "partialFingerprints": {"ruleAndPlace/v1": _digest(finding)},
    }


def _digest(finding: Finding) -> str:
    return hashlib.sha256(f"{finding.rule}\n{finding.path}".encode()).hexdigest()


def _location(path: Path) -> Object:
    return {"uri": path.as_uri() if path.is_absolute() else percent(path.as_posix())}
