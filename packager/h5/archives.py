"""What a ``.keras`` archive is: the same as is told of an ``.h5`` file, from its three members."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from packager.archive import CONFIG, METADATA, WEIGHTS, read_texts, unpack
from packager.errors import ModelFileError
from packager.h5.architecture import LayerConfig, model_inputs, model_layers, model_outputs
from packager.h5.config import COMPILED, Json, as_object, as_text, never_compiled, parse_config, parse_json
from packager.h5.confinement import confined
from packager.h5.container import check_container
from packager.h5.lambdas import LambdaTrust
from packager.h5.model import Model, describe_model
from packager.h5.objects import Contents, survey
from packager.h5.opening import open_file
from packager.h5.weights import summarize_keras3
from packager.values import FileKind, Inspection, LayerSummary


def inspect_archive(path: Path, supplied: Collection[str], trust: LambdaTrust) -> Inspection:
    """Tell what the archive ``path`` holds, its weights unpacked for as long as that takes.

    Raises ModelFileError, or UnsafeFileError where the zip file itself is an attack.
    """
    with tempfile.TemporaryDirectory(prefix="packager-") as folder:
        work = functools.partial(_inspect, path, Path(folder), supplied, trust)
        return confined(work, path, seconds=_patience(path))


def read_archive_config(path: Path) -> dict[str, Json]:
    """Return the architecture in the archive ``path``, without what would compile the model."""
    return confined(functools.partial(_read_config, path), path, seconds=_patience(path))


def _patience(path: Path) -> float:
    """Return the processor seconds that unpacking and reading may take, by the bytes that are there."""
    return 1.1 + min(50.0, 20e-9 * path.stat().st_blocks * 512)


def _read_config(path: Path) -> dict[str, Json]:
    text, _ = read_texts(path)
    config, findings = parse_config(text, CONFIG)
    if findings:
        raise ModelFileError(f"{os.fspath(path)!r}: {findings[0].message}", hint="save the model again")
    done: dict[str, Json] = never_compiled(config)
    return done


def _inspect(path: Path, folder: Path, supplied: Collection[str], trust: LambdaTrust) -> Inspection:
    archive = unpack(path, folder)
    metadata, _ = parse_json(archive.metadata, METADATA)
    version = as_text(as_object(metadata).get("keras_version")) or None
    config, problems = parse_config(archive.config, CONFIG)
    model = describe_model(
        never_compiled(config),
        list(_compiling(config)),
        version,
        supplied,
        trust,
        problems=problems,
        name=CONFIG,
    )
    try:
        size = check_container(archive.weights).st_size
        with open_file(archive.weights) as file:
            contents = survey(file.id, size)
            layers = _layers(model, contents)
    except ModelFileError as error:  # which knows the unpacked file alone
        inside = f"{WEIGHTS} in {os.fspath(path)!r}"
        message = error.message.replace(repr(os.fspath(archive.weights)), inside)
        raise ModelFileError(message, hint="save the model again: model.save('model.keras')") from error
    return Inspection(
        path=path,
        size=path.stat().st_size,
        kind=FileKind.ARCHIVE,
        keras_version=version or "3.x",
        backend=None,
        model_class=as_text(model.config.get("class_name")) or None,
        layers=layers,
        inputs=model_inputs(model.config),
        outputs=model_outputs(model.config),
        custom_classes=model.custom,
        findings=(*contents.findings, *model.findings),
    )


def _compiling(value: Json) -> Iterator[Json]:
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _compiling(inner)
    if isinstance(value, dict) and COMPILED in value:
        yield value[COMPILED]


def _layers(model: Model, contents: Contents) -> tuple[LayerSummary, ...]:
    """Summarize the layers in the order of the weights, with the classes that the architecture tells."""
    known = dict(_named(model_layers(model.config, keras3=model.keras3), ""))
    return tuple(
        replace(summary, class_name=known[summary.name].class_name, custom=known[summary.name].custom)
        if summary.name in known
        else summary
        for summary in summarize_keras3(contents)
    )


def _named(layers: Iterable[LayerConfig], around: str) -> Iterator[tuple[str, LayerConfig]]:
    for layer in layers:
        yield f"{around}{layer.name}", layer
        yield from _named(layer.inner, f"{around}{layer.name}/")
