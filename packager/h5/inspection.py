"""From a file to what it is: its kind, writer, layers, inputs, outputs and findings."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
from h5py import h5g

from packager.errors import ModelFileError, WeightsOnlyError
from packager.h5 import rules
from packager.h5.architecture import model_inputs, model_layers, model_outputs, written_by_keras3
from packager.h5.attributes import READ_ERRORS, read_text
from packager.h5.code import config_findings, custom_objects
from packager.h5.config import Json, as_text, parse_config, parse_json
from packager.h5.confinement import confined
from packager.h5.container import check_container
from packager.h5.objects import Contents, survey
from packager.h5.rules import printable, quote
from packager.h5.weights import (
    ListedWeights,
    layer_names_root,
    listed_weights,
    summarize_keras3,
    summarize_listed,
    summarize_model,
    summarize_raw,
)
from packager.values import FileKind, Finding, Inspection, LayerSummary, Severity

_MOST_FINDINGS = 1000
_SEVERITIES = tuple(Severity)


def inspect_file(path: Path, *, supplied: Collection[str] = ()) -> Inspection:
    """Tell what ``path`` is, from its structure alone, whatever it holds.

    ``supplied`` are names of custom classes and functions that whoever loads the model brings along:
    they need no import. Raises ModelFileError where the file is no HDF5 file, or a damaged one.
    """
    size = check_container(path)
    return confined(lambda: _inspect(path, size, frozenset(supplied)), path)


def read_model_config(path: Path) -> dict[str, Json]:
    """Return the architecture in ``path`` as parsed JSON.

    Raises WeightsOnlyError where it holds none, ModelFileError where it cannot be read.
    """
    check_container(path)
    return confined(lambda: _read_model_config(path), path)


def _read_model_config(path: Path) -> dict[str, Json]:
    with _opened(path) as root:
        text = read_text(root, "model_config")
    if text is None:
        raise WeightsOnlyError(
            f"{os.fspath(path)!r} holds no architecture",
            hint="supply --architecture model.json or module:function",
        )
    config, findings = parse_config(text, "model_config")
    if findings:
        raise ModelFileError(f"{os.fspath(path)!r}: {findings[0].message}", hint="save the model again")
    return config


@contextmanager
def _opened(path: Path) -> Iterator[h5g.GroupID]:
    """Open the root group of an HDF5 file."""
    try:
        file = h5py.File(path, "r", locking="best-effort")
        root = h5g.open(file.id, b"/")
    except BlockingIOError as error:
        raise ModelFileError(
            f"{os.fspath(path)!r} is open for writing elsewhere", hint="wait until it is written, or copy it"
        ) from error
    except READ_ERRORS as error:
        raise ModelFileError(
            f"{os.fspath(path)!r} is damaged: {error}", hint="copy or download it again"
        ) from error
    with file:
        yield root


def _inspect(path: Path, size: int, supplied: Collection[str]) -> Inspection:
    with _opened(path) as root:
        contents = survey(root, size)
        if not contents.datasets and not contents.findings and read_text(root, "model_config") is None:
            raise ModelFileError(
                f"{os.fspath(path)!r} is an HDF5 file with nothing in it", hint="save it again"
            )
        return _describe(path, size, contents, supplied)


def _describe(path: Path, size: int, contents: Contents, supplied: Collection[str]) -> Inspection:
    version = _attribute(contents, "keras_version")
    model = _read_model(contents, version, supplied)
    kind, layers, missing = _kind_and_layers(contents, model)
    findings = [*contents.findings, *missing, *(model.findings if model else ())]
    return Inspection(
        path=path,
        size=size,
        kind=kind,
        keras_version=version or ("3.x" if model and model.keras3 else None),
        backend=_attribute(contents, "backend"),
        model_class=(as_text(model.config.get("class_name")) or None) if model else None,
        layers=layers,
        inputs=model_inputs(model.config) if model else (),
        outputs=model_outputs(model.config) if model else (),
        custom_classes=model.custom if model else (),
        findings=tuple(sorted(findings, key=_by_severity)[:_MOST_FINDINGS]),
    )


def _attribute(contents: Contents, name: str) -> str | None:
    """Return an attribute of the file: Keras writes it to the root, weights-only files and others elsewhere."""
    text = contents.text("/", name) or contents.text("/model_weights", name)
    return printable(text) if text else None


def _by_severity(finding: Finding) -> int:
    return _SEVERITIES.index(finding.severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """The architecture of a full model, and what is to be said of it."""

    config: dict[str, Json]
    keras3: bool
    custom: tuple[str, ...]
    findings: tuple[Finding, ...]


def _read_model(contents: Contents, version: str | None, supplied: Collection[str]) -> _Model | None:
    text = contents.text("/", "model_config")
    if text is None:
        return None
    config, problems = parse_config(text, "model_config")
    by_structure = written_by_keras3(config)
    keras3 = by_structure or (version or "").startswith("3.")
    custom: dict[str, str] = {}
    for name, path in custom_objects(config, keras3=keras3):
        custom.setdefault(name, path)
    findings = itertools.chain(
        problems,
        itertools.islice(config_findings(config, keras3=keras3, supplied=supplied), _MOST_FINDINGS),
        _training_findings(contents, keras3=keras3),
        _custom_findings(custom),
        _version_findings(version, by_structure=by_structure),
    )
    return _Model(config=config, keras3=keras3, custom=tuple(custom), findings=tuple(findings))


def _custom_findings(custom: dict[str, str]) -> Iterator[Finding]:
    for name, path in custom.items():
        yield rules.CUSTOM_OBJECT.at(path, f"{quote(name)} is not Keras' own: it has to be supplied")


def _training_findings(contents: Contents, *, keras3: bool) -> Iterator[Finding]:
    """Yield as warnings what compiling the model would run: packager never compiles one."""
    config, _ = parse_json(contents.text("/", "training_config") or "{}", "training_config")
    found = config_findings(config, name="training_config", keras3=keras3)
    for finding in itertools.islice(found, _MOST_FINDINGS):
        yield replace(finding, severity=Severity.WARNING, message=f"{finding.message} (it is not loaded)")


def _version_findings(version: str | None, *, by_structure: bool) -> Iterator[Finding]:
    if version is None:
        told = ", its architecture is of Keras 3" if by_structure else ""
        yield rules.VERSION.at("/", f"the file does not record which Keras wrote it{told}")
    elif by_structure and not version.startswith("3."):
        yield rules.VERSION.at("/", f"the file records Keras {version}, its architecture is of Keras 3")


def _kind_and_layers(
    contents: Contents, model: _Model | None
) -> tuple[FileKind, tuple[LayerSummary, ...], tuple[Finding, ...]]:
    root = layer_names_root(contents)
    listed = listed_weights(contents, root) if root else None
    if model:
        listed = listed or ListedWeights(root="/", layers={}, missing=())
        layers = summarize_model(model_layers(model.config, keras3=model.keras3), listed)
        return FileKind.FULL_MODEL, layers, listed.missing
    if listed:
        return FileKind.WEIGHTS, summarize_listed(listed), listed.missing
    if any(path.endswith("/vars") for path in contents.groups):
        return FileKind.KERAS3_WEIGHTS, summarize_keras3(contents), ()
    return FileKind.RAW, summarize_raw(contents), ()
