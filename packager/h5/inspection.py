"""From a file to what it is: its kind, writer, layers, inputs, outputs and findings."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection
from pathlib import Path

from packager.archive import is_archive
from packager.errors import ModelFileError, WeightsOnlyError
from packager.h5 import archives
from packager.h5.architecture import model_inputs, model_layers, model_outputs
from packager.h5.attributes import read_text
from packager.h5.config import Json, as_text, parse_config
from packager.h5.confinement import confined
from packager.h5.container import check_container
from packager.h5.lambdas import NO_TRUST, LambdaTrust
from packager.h5.model import MOST_FINDINGS, Model, read_model
from packager.h5.objects import Contents, survey
from packager.h5.opening import open_file
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

_SEVERITIES = tuple(Severity)


def inspect_file(path: Path, *, supplied: Collection[str] = (), trust: LambdaTrust = NO_TRUST) -> Inspection:
    """Tell what ``path`` is, from its structure alone, whatever it holds.

    ``supplied`` are names of custom classes and functions that whoever loads the model brings along:
    they need no import. ``trust`` tells of Lambda layers what they answer for. Raises ModelFileError where
    the file is no HDF5 file, or a damaged one.
    """
    if is_archive(path):
        return archives.inspect_archive(path, frozenset(supplied), trust)
    status = check_container(path)
    work = functools.partial(_inspect, path, status.st_size, frozenset(supplied), trust)
    return confined(work, path, seconds=_patience(status))


def read_model_config(path: Path) -> dict[str, Json]:
    """Return the architecture in ``path`` as parsed JSON.

    Raises WeightsOnlyError where it holds none, ModelFileError where it cannot be read.
    """
    if is_archive(path):
        return archives.read_archive_config(path)
    status = check_container(path)
    return confined(functools.partial(_read_model_config, path), path, seconds=_patience(status))


def _patience(status: os.stat_result) -> float:
    """Return the processor seconds that reading a file may take, by the bytes that it really has.

    A thousand objects take 0.06 s, and come with the more bytes the more they are; no file takes 2 s.
    """
    return 1.1 + min(0.5, 20e-9 * status.st_blocks * 512)


def _read_model_config(path: Path) -> dict[str, Json]:
    with open_file(path) as file:
        text = read_text(file.id, "model_config")
    if text is None:
        raise WeightsOnlyError(
            f"{os.fspath(path)!r} holds no architecture",
            hint="supply --architecture model.json or module:function",
        )
    config, findings = parse_config(text, "model_config")
    if findings:
        raise ModelFileError(f"{os.fspath(path)!r}: {findings[0].message}", hint="save the model again")
    return config


def _inspect(path: Path, size: int, supplied: Collection[str], trust: LambdaTrust) -> Inspection:
    with open_file(path) as file:
        contents = survey(file.id, size)
        version = _recorded(contents, "keras_version")
        model = read_model(contents, version, supplied, trust)
        if not contents.datasets and not contents.findings and model is None:
            raise ModelFileError(
                f"{os.fspath(path)!r} is an HDF5 file with nothing in it", hint="save the model again"
            )
        kind, layers, missing = _kind_and_layers(contents, model)
        findings = [*contents.findings, *missing, *(model.findings if model else ())]
        return Inspection(
            path=path,
            size=size,
            kind=kind,
            keras_version=version or ("3.x" if model and model.keras3 else None),
            backend=_recorded(contents, "backend"),
            model_class=(as_text(model.config.get("class_name")) or None) if model else None,
            layers=layers,
            inputs=model_inputs(model.config) if model else (),
            outputs=model_outputs(model.config) if model else (),
            custom_classes=model.custom if model else (),
            findings=tuple(sorted(findings, key=_by_severity)[:MOST_FINDINGS]),
        )


def _recorded(contents: Contents, name: str) -> str | None:
    """Return what the file records: on the root, or (saved by tf.keras) with the weights."""
    return contents.name("/", name) or contents.name("/model_weights", name)


def _by_severity(finding: Finding) -> int:
    return _SEVERITIES.index(finding.severity)


def _kind_and_layers(
    contents: Contents, model: Model | None
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
