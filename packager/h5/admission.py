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
from packager.values import FileKind, Inspection, Supplied


def admit(
    path: Path, supplied: Supplied, *, leave_open: bool = False
) -> tuple[Inspection, Mapping[str, Any] | None]:
    """Inspect ``path`` and return it with its architecture, ``None`` where the user's code makes that.

    Names of custom objects are taken as supplied here; whether they are is seen where code is imported.
    With ``leave_open`` a supplied architecture may leave activations open. Raises UnsafeFileError or
    WeightsOnlyError.
    """
    inspection = inspect_file(path)
    if supplied.custom_objects:
        inspection = inspect_file(path, supplied=inspection.custom_classes)
    require_loadable(inspection, architecture=supplied.architecture is not None)
    if inspection.kind is FileKind.FULL_MODEL:
        if supplied.architecture is not None:
            raise UsageError(
                f"{os.fspath(path)!r} holds its own architecture", hint="leave --architecture away"
            )
        return inspection, read_model_config(path)
    file = Path(supplied.architecture or "")
    if file.suffix not in CONFIG_SUFFIXES:
        return inspection, None
    config = read_config_file(file, leave_open=leave_open)
    custom = custom_classes(config)
    require_safe_config(config, file, custom if supplied.custom_objects else ())
    return dataclasses.replace(inspection, custom_classes=custom), config
