"""The architecture in a full model file, read once, with all that is to be said of it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from packager.h5 import rules
from packager.h5.architecture import written_by_keras3
from packager.h5.code import code_findings, custom_objects
from packager.h5.config import Json, parse_config, parse_json, walk
from packager.h5.lambdas import LambdaTrust, describe_lifted, settle_lambdas
from packager.h5.objects import Contents
from packager.h5.rules import quote
from packager.values import Finding, Severity

MOST_FINDINGS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An architecture, by whom it was written, and what it needs that Keras has not."""

    config: dict[str, Json]
    """Empty where it cannot be read; the findings say why."""
    keras3: bool
    custom: tuple[str, ...]
    findings: tuple[Finding, ...]


def read_model(
    contents: Contents, version: str | None, supplied: Collection[str], trust: LambdaTrust
) -> Model | None:
    """Read the architecture of a file that records Keras ``version``, ``None`` where it holds none."""
    text = contents.text("/", "model_config")
    if text is None:
        return None
    config, problems = parse_config(text, "model_config")
    training, _ = parse_json(contents.text("/", "training_config") or "{}", "training_config")
    return describe_model(config, training, version, supplied, trust, problems=problems)


def describe_model(
    config: dict[str, Json],
    training: Json,
    version: str | None,
    supplied: Collection[str],
    trust: LambdaTrust,
    *,
    problems: tuple[Finding, ...],
    name: str = "model_config",
) -> Model:
    """Tell what there is to say of an architecture; ``training`` is what compiling it would need."""
    nodes = tuple(walk(config, name))
    by_structure = written_by_keras3(nodes)
    keras3 = by_structure or (version or "").startswith("3.")
    settled = tuple(walk(settle_lambdas(config, trust), name))
    custom = custom_objects(settled, keras3=keras3)
    code = code_findings(settled, keras3=keras3, supplied=supplied, run_bytecode=trust.bytecode)
    findings = itertools.chain(
        problems,
        itertools.islice(code, MOST_FINDINGS),
        describe_lifted(nodes, trust),
        _training_findings(training, keras3=keras3),
        _custom_findings(custom),
        _version_findings(version, by_structure=by_structure),
    )
    return Model(config=config, keras3=keras3, custom=tuple(custom), findings=tuple(findings))


def _training_findings(config: Json, *, keras3: bool) -> Iterator[Finding]:
    """Yield as warnings what compiling the model would run: packager never compiles one."""
    found = code_findings(walk(config, "training_config"), keras3=keras3)
    for finding in itertools.islice(found, MOST_FINDINGS):
        yield replace(finding, severity=Severity.WARNING, message=f"{finding.message} (it is not loaded)")


def _custom_findings(custom: dict[str, str]) -> Iterator[Finding]:
    for name, path in custom.items():
        yield rules.CUSTOM_OBJECT.at(path, f"{quote(name)} is not Keras' own: it has to be supplied")


def _version_findings(version: str | None, *, by_structure: bool) -> Iterator[Finding]:
    if version is None:
        told = ", its architecture is of Keras 3" if by_structure else ""
        yield rules.VERSION.at("/", f"the file does not record which Keras wrote it{told}")
    elif by_structure and not version.startswith("3."):
        yield rules.VERSION.at("/", f"the file records Keras {version}, its architecture is of Keras 3")
