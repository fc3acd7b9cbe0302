"""What the command has done in another process: to read a source, and to convert what was read.

Each function imports what it takes where it runs. The command itself imports nothing that reads a model.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packager.progress import Report
from packager.request import ConversionRequest, ConversionResult
from packager.values import ConversionOptions, Inspection

if TYPE_CHECKING:
    from packager.signatures import Declaration
    from packager.sources import Identities


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A source that may be converted."""

    inspection: Inspection
    unsafe_lambdas: tuple[str, ...]
    """Layers whose bytecode may run, because the user allows it."""
    rest: bytes
    """A pickled ``_Rest``: to read it imports what the command has no other use for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rest:
    """What only whoever converts has a use for."""

    config: Mapping[str, Any] | None
    declaration: Declaration
    as_it_is: bool
    before: Identities


def admit_source(
    file: Path,
    name: str,
    options: ConversionOptions,
    *,
    report: Report,  # noqa: ARG001 - whatever runs in another process is given one
) -> Admitted:
    """Inspect ``file``, let it through, and read what is declared of the model ``name``.

    Raises ModelFileError, UsageError or SignatureError.
    """
    from packager.h5 import unsafe_lambdas
    from packager.signatures import Declaration, find_declaration, read_declaration
    from packager.sources import admitted, identities, taken_as_it_is

    before = identities(file)
    inspection, config = admitted(file, options.supplied)
    if options.signature is not None:
        declaration = read_declaration(options.signature, model_file=inspection.path)
    else:
        declaration = find_declaration(Path(), name, model_file=inspection.path) or Declaration()
    as_it_is = taken_as_it_is(inspection, options, declaration)
    rest = _Rest(config=config, declaration=declaration, as_it_is=as_it_is, before=before)
    return Admitted(inspection=inspection, unsafe_lambdas=unsafe_lambdas(inspection), rest=pickle.dumps(rest))


def convert_source(
    admitted: Admitted, name: str, options: ConversionOptions, work: Path, *, report: Report
) -> tuple[ConversionResult, bool]:
    """Convert what was ``admitted`` into the empty folder ``work``; tell whether it was taken as it is.

    Raises a ModelFileError, of a source that was changed since it was inspected too, or an ExportError.
    """
    from packager.adoption import adopt
    from packager.conversion import convert_inspected
    from packager.sources import require_unchanged

    rest: _Rest = pickle.loads(admitted.rest)
    request = ConversionRequest(
        inspection=admitted.inspection,
        config=rest.config,
        options=options,
        name=name,
        declaration=rest.declaration,
        work=work,
    )
    result = (adopt if rest.as_it_is else convert_inspected)(request, report=report)
    require_unchanged(admitted.inspection.path, rest.before)
    return result, rest.as_it_is
