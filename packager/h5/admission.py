"""What is let through to be loaded: an inspected file with the architecture to rebuild it by."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packager.errors import UsageError
from packager.h5.configfile import CONFIG_SUFFIXES, custom_classes, read_config_file, require_safe_config
from packager.h5.gate import require_loadable
from packager.h5.inspection import inspect_file, read_model_config
from packager.h5.lambdas import LambdaTrust, settle_lambdas
from packager.h5.rules import LAMBDA
from packager.values import Inspection, Severity, Supplied


def admit(
    path: Path, supplied: Supplied, *, leave_open: bool = False
) -> tuple[Inspection, Mapping[str, Any] | None]:
    """Inspect ``path`` and return it with its architecture, ``None`` where the user's code makes that.

    Names of custom objects are taken as supplied here; whether they are is seen where code is imported.
    With ``leave_open`` a supplied architecture may leave activations open. Raises UnsafeFileError or
    WeightsOnlyError.
    """
    trust = LambdaTrust(functions=dict(supplied.lambdas), bytecode=supplied.allow_unsafe_lambda)
    inspection = inspect_file(path, trust=trust)
    if supplied.custom_objects:
        inspection = inspect_file(path, supplied=inspection.custom_classes, trust=trust)
    require_loadable(inspection, architecture=supplied.architecture is not None)
    if inspection.kind.has_architecture:
        if supplied.architecture is not None:
            raise UsageError(
                f"{os.fspath(path)!r} holds its own architecture", hint="leave --architecture away"
            )
        return inspection, settle_lambdas(read_model_config(path), trust)
    file = Path(supplied.architecture or "")
    if file.suffix not in CONFIG_SUFFIXES:
        if supplied.lambdas:
            raise UsageError(
                f"--lambda {supplied.lambdas[0][0]} has no layer to replace: the architecture is code",
                hint="leave --lambda away",
            )
        return inspection, None
    if supplied.arguments:
        raise UsageError(
            f"--architecture-arg {supplied.arguments[0][0]} goes to no function: {str(file)!r} is a config",
            hint="change the value in that file",
        )
    config = settle_lambdas(read_config_file(file, leave_open=leave_open), trust)
    custom = custom_classes(config)
    found = require_safe_config(config, file, custom if supplied.custom_objects else (), trust)
    findings = (*inspection.findings, *found)
    return dataclasses.replace(inspection, custom_classes=custom, findings=findings), config


def unsafe_lambdas(inspection: Inspection) -> tuple[str, ...]:
    """Return the layers of an admitted file whose bytecode may run, because the user allows it."""
    found = (
        finding.layer
        for finding in inspection.findings
        if finding.rule == LAMBDA.id
        and finding.severity is Severity.WARNING
        and not finding.path.startswith("training_config")
    )
    return tuple(dict.fromkeys(found))
