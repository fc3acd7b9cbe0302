"""What clients see of a model: its contract, how it changed, its OpenAPI document, a client to start from.

``TARGET`` is what ``packager.targets`` resolves: a contract file, a version folder, a model folder, an OCI
layout, or an image in an engine or a registry.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from packager.contract import ExampleCall, example_calls
from packager.contract.client import client_text
from packager.contract.diff import changes_between
from packager.contract.openapi import SERVER, openapi_document
from packager.errors import BreakingChangeError, UsageError
from packager.progress import Report, silent
from packager.savedmodel.graph import read_graph
from packager.savedmodel.safety import unsafe_operations
from packager.savedmodel.source import links_in
from packager.targets import Target, resolve
from packager.values import ContractChange, ContractDiff, Finding, Signature

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """What a model promises its clients, and where it came from."""

    target: str
    kind: str
    """Where it was found: ``contract``, ``version``, ``model``, ``layout``, ``image`` or ``registry``."""
    model: str
    version: int | None
    recorded: bool
    """Whether the contract was recorded at conversion; else it is what the graph's signatures tell."""
    source: str
    source_sha256: str
    tensorflow: str
    loader: str
    signatures: tuple[Signature, ...]
    examples: tuple[ExampleCall, ...]
    findings: tuple[Finding, ...] = ()
    """What is unsafe in the graph, and refused where it is to be converted."""


def describe(
    target: PathLike, *, model: str | None = None, version: int | None = None, report: Report = silent
) -> ServedModel:
    """Tell what ``target`` promises its clients: signatures, and an example request to each.

    Of an image with several models, ``model`` is the one that is meant, here and below.
    Raises ImageNotFoundError where there is no such target, ModelFileError where it cannot be read.
    """
    found = resolve(target, model=model, version=version, report=report)
    contract = found.contract
    return ServedModel(
        target=found.name,
        kind=found.kind,
        model=found.model,
        version=found.version,
        recorded=found.recorded,
        source=contract.source,
        source_sha256=contract.source_sha256,
        tensorflow=contract.tensorflow,
        loader=contract.loader,
        signatures=contract.signatures,
        examples=examples_of(found),
        findings=_findings(found),
    )


def _findings(found: Target) -> tuple[Finding, ...]:
    """Return what is unsafe in the graph; beside it, where it is in a folder."""
    if found.graph is None:
        return ()
    operations = unsafe_operations(read_graph(found.graph, found.name))
    return (*(links_in(found.folder) if found.folder else ()), *operations)


def diff(old: PathLike, new: PathLike, *, model: str | None = None, report: Report = silent) -> ContractDiff:
    """Compare what ``new`` promises with what ``old`` did. Raises what ``describe`` does."""
    before, after = (resolve(target, model=model, report=report) for target in (old, new))
    return ContractDiff(
        old=before.name,
        new=after.name,
        changes=changes_between(before.contract.signatures, after.contract.signatures),
    )


def check_compatible(old: Target, signatures: Sequence[Signature]) -> None:
    """Raise BreakingChangeError where clients of ``old`` would break on ``signatures``."""
    changes = changes_between(old.contract.signatures, signatures)
    broken = [change for change in changes if change.breaking]
    if broken:
        raise BreakingChangeError(
            f"clients of {old.name!r} would break: {_counted(broken)}",
            hint="keep the names with --input-name and --output-name, or leave out --compatible-with",
            details="\n".join(f"{change}: {change.why}" for change in broken),
        )


def _counted(changes: Sequence[ContractChange]) -> str:
    more = f", and {len(changes) - 1} more" if len(changes) > 1 else ""
    return f"{changes[0]}{more}"


def openapi(
    target: PathLike,
    *,
    model: str | None = None,
    version: int | None = None,
    server: str = SERVER,
    report: Report = silent,
) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the REST interface of ``target``, at the address ``server``.

    Raises what ``describe`` does.
    """
    found = resolve(target, model=model, version=version, report=report)
    return openapi_document(
        found.model, found.version, found.contract.signatures, examples_of(found), server=server
    )


def client(
    target: PathLike,
    *,
    language: str,
    signature: str | None = None,
    model: str | None = None,
    version: int | None = None,
    server: str = SERVER,
    report: Report = silent,
) -> str:
    """Return a program in ``language``, ``python`` or ``curl``, that asks ``target`` for a prediction.

    It sends the request that was recorded for ``signature``, the first one unless given. Raises UsageError
    where there is no such signature or none was recorded, or what ``describe`` does.
    """
    found = resolve(target, model=model, version=version, report=report)
    contract = found.contract
    keys = [each.key for each in contract.signatures]
    wanted = signature or keys[0]
    if wanted not in keys:
        raise UsageError(
            f"no signature {wanted!r} in {found.name!r}", hint=f"it has: {', '.join(map(repr, keys))}"
        )
    whole = example_calls(contract.signatures, contract.samples, found.model, limit=None)
    calls = {call.signature: call for call in whole or contract.examples}
    if wanted not in calls or not (calls[wanted].row or calls[wanted].columnar):
        raise UsageError(
            f"no request to {wanted!r} that REST can carry was recorded in {found.name!r}",
            hint="packager convert FILE --name NAME records one for each signature",
        )
    samples = [sample for sample in contract.samples if sample.signature == wanted]
    smallest = min(samples, key=lambda sample: sample.batch, default=None)
    return client_text(calls[wanted], smallest, model=found.model, language=language, server=server)


def examples_of(target: Target) -> tuple[ExampleCall, ...]:
    """Return the example requests of a target, for the name that it has there."""
    contract = target.contract
    if contract.samples:
        return example_calls(contract.signatures, contract.samples, target.model)
    return contract.examples
