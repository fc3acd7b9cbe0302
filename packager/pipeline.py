"""The order of the stages, and packager's front door for Python: one function a verb.

Each function takes plain arguments, parses them once, and hands values from stage to stage. Heavy
packages are imported where a stage needs them, never at the top.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packager.errors import (
    ModelFileError,
    OutputError,
    UsageError,
    WeightsOnlyError,
)
from packager.imaging import base as base
from packager.imaging import build as build
from packager.imaging import chosen_engine, parse_references, push_tested, servables_in
from packager.imaging import push as push
from packager.imaging import verify as verify
from packager.imaging import verify_build as verify_build
from packager.progress import Report, Stopwatch, detail, info, say, silent, stage
from packager.testing import running as running
from packager.testing import smoke as smoke
from packager.values import (
    AS_DOCKER_DOES,
    AS_THE_SOURCE,
    Check,
    Conversion,
    ConversionOptions,
    FileKind,
    Inspection,
    RegistryAccess,
    Release,
    StageTime,
    Supplied,
    check_model_name,
    check_version,
    to_json,
)

if TYPE_CHECKING:
    from packager.isolation import Child
    from packager.targets import Target

PathLike = str | os.PathLike[str]


def inspect(file: PathLike, *, sarif: PathLike | None = None) -> Inspection:
    """Tell what ``file`` is, from its structure alone: nothing in it is loaded or executed.

    It is an HDF5 file, a ``.keras`` archive or a SavedModel's folder. The findings are written to ``sarif``
    as well, for a code scanner's dashboard. Raises ModelFileError where it is none of these, saying what it
    is instead.
    """
    from packager.h5 import inspect_file, sarif_of_failure, sarif_of_inspection, write_sarif

    path = Path(file)
    errors: Mapping[str, str] | None = None
    try:
        if (path / "saved_model.pb").is_file():
            from packager.savedmodel.safety import SUMMARIES
            from packager.savedmodel.source import inspect_saved_model

            inspection, errors = inspect_saved_model(path), SUMMARIES
        else:
            inspection = inspect_file(path)
    except ModelFileError as error:
        if sarif is not None:
            write_sarif(sarif_of_failure(path, error, version=packager_version()), Path(sarif))
        raise
    if sarif is not None:
        log = sarif_of_inspection(inspection, version=packager_version(), errors=errors)
        write_sarif(log, Path(sarif))
    return inspection


def convert(
    file: PathLike,
    *,
    name: str,
    version: int | None = None,
    output: PathLike = "models",
    force: bool = False,
    options: ConversionOptions = AS_THE_SOURCE,
    report: Report = silent,
) -> Conversion:
    """Make ``<output>/<name>/<version>`` from ``file``: a SavedModel with a ``serving_default`` signature.

    Where ``file`` is a SavedModel itself, it is copied as it is unless options say what to sign anew.
    ``version`` is the next free one unless given; ``force`` replaces one that exists. ``options`` bring what
    the file lacks, and choose the signatures. The SavedModel is compared with the rebuilt model before it is
    put in place, and its signatures with those of ``options.compatible_with``. Raises a ModelFileError or an
    ExportError; then nothing is left behind.
    """
    from packager.importing import ENVIRONMENT, prepare
    from packager.isolation import started

    check_model_name(name)
    if version is not None:
        check_version(version)
    if options.warmup_samples and options.samples is None:
        raise UsageError("--warmup-samples without samples to play", hint="add --samples FILE")
    with started(prepare, environment=ENVIRONMENT) as child:
        return _convert(file, name, version, output, force=force, options=options, child=child, report=report)


def _convert(
    file: PathLike,
    name: str,
    version: int | None,
    output: PathLike,
    *,
    force: bool,
    options: ConversionOptions,
    child: Child,
    report: Report,
) -> Conversion:
    """Have ``file`` inspected and converted by ``child``, and put in place what comes out."""
    from packager.errands import admit_source, convert_source
    from packager.request import environment, limits
    from packager.savedmodel import new_version

    older = _older(options, report)
    report = watch = Stopwatch(report)
    say(report, "inspecting the file")
    path = Path(file)
    admitted = child.run(admit_source, path, name, options, report=report, doing="inspecting the file")
    inspection = admitted.inspection
    with new_version(Path(output), name, version=version, replace=force) as slot:
        result, as_it_is = child.run(
            convert_source,
            admitted,
            name,
            options,
            slot.work,
            report=report,
            environment=environment(inspection),
            limits=limits(inspection, options),
        )
        if inspection.kind is FileKind.SAVED_MODEL and not as_it_is:  # not asked of who ran what is in it
            from packager.savedmodel.source import require_self_contained

            require_self_contained(slot.work)
        if older:
            from packager.interface import check_compatible

            check_compatible(older, result.signatures)
        servable = slot.publish()
    stages = tuple(StageTime(name=name, seconds=seconds) for name, seconds in watch.stop().items())
    _tell_cost(stages, result.peak_memory, report)
    ran = admitted.unsafe_lambdas
    return Conversion(
        servable=servable,
        source=inspection.path,
        source_sha256=result.source_sha256,
        source_keras=inspection.keras_version,
        loader=result.loader,
        tensorflow=result.tensorflow,
        signatures=result.signatures,
        bindings=result.bindings,
        parameters=result.parameters,
        unsafe_lambdas=ran,
        parity=result.parity,
        deviations=result.deviations,
        golden=result.golden,
        optimization=result.optimization,
        as_it_is=as_it_is,
        warnings=(*(f"layer {layer!r}: bytecode from the file was run" for layer in ran), *result.warnings),
        fallbacks=result.fallbacks,
        stages=stages,
        peak_memory=result.peak_memory,
    )


def _older(options: ConversionOptions, report: Report) -> Target | None:
    if options.compatible_with is None:
        return None
    from packager.targets import resolve

    return resolve(options.compatible_with, report=report)


def suggest_architecture(file: PathLike, *, output: PathLike | None = None) -> str:
    """Write an architecture to start from: the stack of layers that the shapes in ``file`` chain to.

    It is returned, and written to ``output``. Raises a ModelFileError: a WeightsOnlyError where they do not
    chain.
    """
    from packager.h5 import inspect_file, require_loadable, suggest_spec
    from packager.mapping import write_mapping

    inspection = inspect_file(Path(file))
    require_loadable(inspection, architecture=True)
    _require_no_architecture(inspection)
    text = suggest_spec(inspection)
    if text is None:
        raise WeightsOnlyError(
            f"the datasets of {os.fspath(file)!r} do not chain into a stack of layers",
            hint="write the layers that they belong to: --architecture layers.toml, or file.py:function",
        )
    if output is not None:
        write_mapping(Path(output), text)
    return text


def propose_mapping(
    file: PathLike, *, supplied: Supplied, output: PathLike | None = None, report: Report = silent
) -> str:
    """Write a mapping file to start from, of the weights in ``file`` to the architecture in ``supplied``.

    It is returned, and written to ``output``. Raises a ModelFileError, or UsageError where the architecture
    cannot be built.
    """
    from packager import conversion
    from packager.h5 import admit
    from packager.isolation import run_isolated
    from packager.mapping import write_mapping
    from packager.request import environment, limits

    inspection, config = admit(Path(file), supplied, leave_open=True)
    _require_no_architecture(inspection)
    text = run_isolated(
        conversion.propose_mapping,
        inspection,
        config,
        supplied,
        report=report,
        environment=environment(inspection),
        limits=limits(inspection),
        doing="building the architecture",
    )
    if output is not None:
        write_mapping(Path(output), text)
    return text


def _require_no_architecture(inspection: Inspection) -> None:
    if inspection.kind.has_architecture:
        raise UsageError(
            f"{os.fspath(inspection.path)!r} needs no mapping: it holds its architecture",
            hint="packager convert FILE --name NAME",
        )


def package(
    file: PathLike,
    *,
    name: str,
    tag: str | Sequence[str],
    version: int | None = None,
    output: PathLike = "models",
    force: bool = False,
    options: ConversionOptions = AS_THE_SOURCE,
    base: str = "official",
    engine: str = "auto",
    oci_layout: PathLike | None = None,
    timeout: float = 120,
    tolerance: float = 1e-5,
    push: bool = False,
    attest: bool = True,
    sign: str | None = None,
    access: RegistryAccess = AS_DOCKER_DOES,
    record: PathLike | None = None,
    report: Report = silent,
) -> Release:
    """Convert, build, smoke-test and, where asked, push: from ``file`` to an image that answers right.

    Without an engine the image is written as an OCI layout, and the smoke test runs the converted model
    in the embedded server. ``record`` is where the release record goes, ``<output>/<name>/release.json``
    unless given. Each stage raises its own errors; what earlier stages finished stays.
    """
    reference, *also = parse_references(tag)
    engine = _resolve_engine(engine)
    stages = 4 if push else 3
    stage(report, f"convert {os.fspath(file)}", number=1, of=stages)
    conversion = convert(
        file,
        name=name,
        version=version,
        output=output,
        force=force,
        options=options,
        report=report,
    )
    folder = conversion.servable.path.parent
    if engine == "none" and oci_layout is None:
        oci_layout = folder.parent / f"{name}.oci"
        info(report, f"no container engine: the image goes to the OCI layout {os.fspath(oci_layout)!r}")
    stage(report, f"build {reference}", number=2, of=stages)
    image = build(
        folder,
        tag=[str(reference), *map(str, also)],
        base=base,
        versions=[conversion.servable.version],
        engine=engine,
        oci_layout=oci_layout,
        access=access,
        report=report,
    )
    target = str(reference) if image.in_engine else folder
    stage(report, f"smoke-test {target}", number=3, of=stages)
    tested = smoke(
        target,
        version=conversion.servable.version,
        timeout=timeout,
        tolerance=tolerance,
        report=report,
    )
    pushed = None
    if push:
        stage(report, f"push {reference}", number=4, of=stages)
        pushed = push_tested(
            image, conversion.servable, base=base, attest=attest, sign=sign, access=access, report=report
        )
    release = Release(
        packager=packager_version(),
        conversion=conversion,
        image=image,
        smoke=tested,
        pushed=pushed,
        record=Path(record) if record else folder / "release.json",
    )
    _write_record(release)
    return release


def serve(
    model: PathLike,
    *,
    port: int = 8501,
    grpc_port: int = 8500,
    address: str = "127.0.0.1",
    arguments: Sequence[str] = (),
) -> int:
    """Serve a model folder with the embedded server until it is ended; return its exit status.

    ``arguments`` are further flags of ``tensorflow_model_server``.
    """
    from packager.runtime import server_command, server_environment

    base_path = Path(model)
    servables_in(base_path, ())
    command = server_command(base_path, rest_port=port, grpc_port=grpc_port, address=address, flags=arguments)
    process = subprocess.Popen(command, env=server_environment())
    try:
        return process.wait()
    except BaseException:  # Ctrl-C reached the server as well: it drains and ends
        process.terminate()
        process.wait()
        raise


def doctor(*, base: str = "official") -> tuple[Check, ...]:
    """Look at all that packager needs here, and say what to type where something is missing."""
    from packager.diagnosis import look_around

    return look_around(base=base)


def packager_version() -> str:
    """Return the installed version of packager."""
    from importlib.metadata import version

    return version("tfserving-packager")


def _resolve_engine(choice: str) -> str:
    """Settle ``auto`` once, so that every stage of a run takes the same way."""
    with chosen_engine(choice) as engine:
        return "none" if engine is None else "docker"


def _tell_cost(stages: Sequence[StageTime], peak_memory: int, report: Report) -> None:
    """Tell where the time of a conversion went."""
    for taken in stages:
        detail(report, f"{taken.seconds:7.2f} s  {taken.name}")
    total = sum(taken.seconds for taken in stages)
    detail(report, f"{total:7.2f} s  in all, {peak_memory / 2**20:,.0f} MiB of memory at most")


def _write_record(release: Release) -> None:
    """Write the release record aside and rename it into place."""
    text = json.dumps(to_json(release), indent=2)
    try:
        release.record.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=release.record.parent, prefix=".release-", delete=False
        ) as file:
            file.write(text + "\n")
        Path(file.name).chmod(0o644)
        Path(file.name).replace(release.record)
    except OSError as error:
        raise OutputError(
            f"cannot write {os.fspath(release.record)!r}: {(error.strerror or str(error)).lower()}",
            hint="write it elsewhere: --record FILE",
        ) from error
