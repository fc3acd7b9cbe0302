"""Whether an inspected file may be loaded: it must hold a model, and nothing unsafe."""

from __future__ import annotations

import os
import shlex

from packager.errors import UnsafeFileError, WeightsOnlyError
from packager.h5.lambdas import lambda_hint
from packager.values import FileKind, Inspection

_WHAT = {
    FileKind.WEIGHTS: "weights only",
    FileKind.KERAS3_WEIGHTS: "weights only, of Keras 3",
    FileKind.RAW: "datasets only, in no layout that Keras writes",
}


def require_loadable(inspection: Inspection, *, architecture: bool = False) -> None:
    """Raise UnsafeFileError for any finding that is an error, WeightsOnlyError where there is no model.

    With ``architecture`` one is supplied for the weights, and none is missed.
    """
    path = os.fspath(inspection.path)
    if errors := inspection.errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise UnsafeFileError(
            f"refused {path!r}: {errors[0].message}{more}",
            hint=lambda_hint(errors) or f"packager inspect {shlex.quote(path)} shows all findings",
            details="\n".join(f"{e.rule} {e.path}: {e.message}" for e in errors),
        )
    if not inspection.kind.has_architecture and not architecture:
        raise WeightsOnlyError(
            f"{path!r} holds {_WHAT[inspection.kind]} ({_told(inspection)})",
            hint=_hint(inspection, path),
        )


def _hint(inspection: Inspection, path: str) -> str:
    if inspection.kind is FileKind.RAW:
        return f"packager map {shlex.quote(path)} suggests layers, for --architecture layers.toml"
    return "supply --architecture model.json or module:function"


def _told(inspection: Inspection) -> str:
    names = [layer.name for layer in inspection.layers]
    listed = ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
    noun = "groups" if inspection.kind is FileKind.RAW else "layers"
    version = f"Keras {inspection.keras_version}, " if inspection.keras_version else ""
    return f"{version}{len(names)} {noun}: {listed}"
