"""A SavedModel taken as it is: copied byte for byte, asked through its own signatures, given a contract.

It runs in a process of its own, as ``packager.conversion`` does.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packager.contract import Contract, Sample, example_calls, write_contract
from packager.contract.calls import interface_of
from packager.conversion import peak_memory, shipped, source_digest
from packager.errors import ExportError
from packager.importing import import_tensorflow
from packager.progress import Report, say
from packager.request import ConversionRequest, ConversionResult
from packager.savedmodel.graph import signatures_of
from packager.savedmodel.source import default_signature, read_source_graph
from packager.values import ConversionOptions, Endpoint, Signature


def adopt(request: ConversionRequest, *, report: Report) -> ConversionResult:
    """Copy the SavedModel into ``request.work``, record what the source answers, and compare the copy.

    Raises ModelLoadError, ExportError or ParityError.
    """
    say(report, "importing TensorFlow")
    tf = import_tensorflow()
    from packager.loading import savedmodel
    from packager.savedmodel.export import writing
    from packager.savedmodel.golden import Aliases, measure_golden
    from packager.savedmodel.parity import measure_parity

    source, work, options = request.inspection.path, request.work, request.options
    signatures = _default_first(signatures_of(read_source_graph(source)))
    say(report, "loading the SavedModel")
    model = savedmodel.load_whole(source)
    functions = [model.signatures[signature.key] for signature in signatures]
    endpoints = [_endpoint(model, signature) for signature in signatures]
    samples, unasked = _record(endpoints, options, report)
    say(report, "copying the SavedModel")
    digest = source_digest(request.inspection)
    with writing(work):
        _copy(source, work)
    deviations, fallbacks = measure_parity(work, samples, close=options.close, report=report)
    golden = None
    if options.golden is not None:
        say(report, "comparing the SavedModel with golden outputs")
        golden = measure_golden(
            work,
            endpoints[0],
            options.golden,
            aliases=Aliases(inputs={}, outputs={}),
            tolerance=options.golden_tolerance,
        )
    say(report, "writing the contract")
    contract = Contract(
        source=source.resolve().name,
        source_sha256=digest,
        tensorflow=tf.__version__,
        loader=savedmodel.name_of_loader(),
        signatures=signatures,
        samples=samples,
        model=request.name,
        examples=example_calls(signatures, samples, request.name),
    )
    with writing(work):
        write_contract(contract, work)
        _warm_up(request, endpoints, signatures, samples, report)
    variables = savedmodel.variables_of(functions)
    return ConversionResult(
        loader=savedmodel.name_of_loader(),
        tensorflow=tf.__version__,
        source_sha256=digest,
        signatures=signatures,
        bindings=savedmodel.bind(source, model, variables),
        parameters=savedmodel.count(variables),
        deviations=deviations,
        golden=golden,
        warnings=(*savedmodel.not_finite(variables), *unasked, *shipped(options)),
        fallbacks=fallbacks,
        peak_memory=peak_memory(),
    )


def _copy(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):  # a folder comes before what is in it
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        else:
            shutil.copyfile(path, place, follow_symlinks=False)


def _endpoint(model: Any, signature: Signature) -> Endpoint:
    """Return a signature as what can be asked; examples are made of the features that its graph parses."""
    from packager.loading.savedmodel import caller
    from packager.savedmodel.features import parsed_features
    from packager.signatures.examples import example_request

    outputs = tuple(spec.name for spec in signature.outputs)
    serialized = [spec.dtype for spec in signature.inputs] == ["string"]
    features = parsed_features(model.signatures[signature.key]) if serialized else ()
    return Endpoint(
        key=signature.key,
        method=signature.method,
        inputs=signature.inputs,
        outputs=outputs,
        call=caller(model, signature.key, [spec.name for spec in signature.inputs], outputs),
        plain=features or signature.inputs,
        drawn_from=(None,) * len(features or signature.inputs),
        encode=example_request(features) if features else tuple,
    )


def _default_first(signatures: Sequence[Signature]) -> tuple[Signature, ...]:
    default = default_signature(signatures)
    return (default, *(signature for signature in signatures if signature != default))


def _record(
    endpoints: Sequence[Endpoint], options: ConversionOptions, report: Report
) -> tuple[tuple[Sample, ...], tuple[str, ...]]:
    """Ask each signature; return the answers, and which signatures gave none, and why.

    The user's own samples are for the signatures that take them. Raises ExportError where none answers.
    """
    from packager.savedmodel.export import record_samples
    from packager.savedmodel.given import read_requests

    given: Sequence[Sequence[Any]] = ()
    taking: set[tuple[str, ...]] = set()
    if options.samples is not None:
        given, taking = read_requests(options.samples, endpoints[0].plain), {_names(endpoints[0])}
    samples: list[Sample] = []
    unasked: list[str] = []
    for endpoint in endpoints:
        try:
            _require_input(endpoint)
            samples += record_samples([endpoint], given if _names(endpoint) in taking else (), report=report)
        except ExportError as error:
            unasked.append(f"signature {endpoint.key!r} has no recorded request: {error.message}")
    if not samples:
        raise ExportError(unasked[0], hint="give it real ones: --samples FILE.npz, arrays by input name")
    return tuple(samples), tuple(unasked)


def _require_input(endpoint: Endpoint) -> None:
    """Raise ExportError where no request can be made that a server hands on."""
    if not endpoint.inputs:
        raise ExportError("it takes no input")
    interface = interface_of(endpoint.method)
    if interface != "predict" and endpoint.inputs[0].dtype != "string":
        raise ExportError(f"{interface} sends serialized examples, and it takes {endpoint.inputs[0]}")


def _names(endpoint: Endpoint) -> tuple[str, ...]:
    return tuple(sorted(spec.name for spec in endpoint.plain))


def _warm_up(
    request: ConversionRequest,
    endpoints: Sequence[Endpoint],
    signatures: Sequence[Signature],
    samples: Sequence[Sample],
    report: Report,
) -> None:
    """Write warm-up requests, unless the SavedModel brought its own and no others were asked for."""
    from packager.savedmodel.export import record_samples
    from packager.savedmodel.given import read_requests
    from packager.savedmodel.warmup import FILE, check_count, in_batches, write_warmup

    options = request.options
    if not options.warmup or ((request.work / FILE).exists() and not options.warmup_samples):
        return
    answering = {sample.signature for sample in samples}
    asked = [endpoint for endpoint in endpoints if endpoint.key in answering]
    check_count(len(asked), options.warmup)
    given: Sequence[Sequence[Any]] = ()
    if options.warmup_samples and options.samples is not None:
        asked = asked[:1]
        given = in_batches(read_requests(options.samples, asked[0].plain)[-1], options.warmup)
    known = {(sample.signature, sample.batch): sample for sample in samples}
    wanted = [(endpoint.key, batch) for endpoint in asked for batch in options.warmup]
    if not given and options.samples is None and known.keys() >= set(wanted):
        played = [known[key] for key in wanted]
    else:
        played = [
            sample
            for endpoint in asked
            for sample in record_samples([endpoint], given, batches=options.warmup, report=report)
        ]
    write_warmup(request.work, played, signatures, model_name=request.name)
