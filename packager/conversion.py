"""From an inspected file to a finished version folder: the part that needs TensorFlow.

It runs in a process of its own (``packager.isolation``), so nothing here is imported by the command itself.
"""

from __future__ import annotations

import gc
import hashlib
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packager.companion import Companion, companion
from packager.contract import Contract, Sample, example_calls, write_contract
from packager.errors import ExportError, ParityError, SignatureError
from packager.importing import import_tensorflow
from packager.progress import Report, detail, say, warn
from packager.request import ConversionRequest, ConversionResult
from packager.serving.native.residency import give_back_pages
from packager.signatures.serving import DEFAULT_KEY
from packager.values import (
    Closeness,
    ConversionOptions,
    Deviation,
    Endpoint,
    FileKind,
    Inspection,
    Supplied,
)

if TYPE_CHECKING:
    from packager.loading.model import LoadedModel
    from packager.savedmodel.streaming import WritingAhead


def propose_mapping(
    inspection: Inspection, config: Mapping[str, Any] | None, supplied: Supplied, *, report: Report
) -> str:
    """Write a mapping file to start from."""
    say(report, "importing TensorFlow")
    import_tensorflow()
    from packager.loading import loading

    say(report, "building the architecture")
    return loading.propose_mapping(inspection, config, supplied)


def convert_inspected(request: ConversionRequest, *, report: Report) -> ConversionResult:
    """Rebuild the model, write its SavedModel and contract into ``request.work``, and compare the two.

    Raises ModelLoadError, SignatureError, ExportError or ParityError.
    """
    from packager.savedmodel.streaming import WritingAhead, write_as_told

    _check_golden(request)
    with (
        companion(lambda _: source_digest(request.inspection), doing="hashing the source") as hashing,
        companion(write_as_told, doing="writing the weights") as writer,
    ):
        return _converted(request, hashing, WritingAhead(writer), report)


def _converted(
    request: ConversionRequest, hashing: Companion, ahead: WritingAhead, report: Report
) -> ConversionResult:
    say(report, "importing TensorFlow")
    tf = import_tensorflow()

    from packager.loading.loading import load_model
    from packager.optimizing import Optimizing
    from packager.savedmodel.export import export, writing
    from packager.savedmodel.given import read_requests
    from packager.savedmodel.variables import streams
    from packager.savedmodel.warmup import check_count, write_warmup
    from packager.signatures.endpoints import Endpoints, unscaled_images

    give_back_pages()
    options = request.options
    classes = [layer.class_name for layer in request.inspection.layers]
    say(report, "rebuilding the model")
    model = load_model(request.inspection, request.config, options.supplied)
    gc.freeze()  # it stays until the end
    if not options.optimize:  # which changes some
        ahead.begin(request.work, streams(model.variables))
    inputs = tuple(given.spec for given in model.inputs)
    endpoints = Endpoints(
        model.call,
        inputs,
        model.outputs,
        declaration=request.declaration,
        vocabularies=[given.vocabulary for given in model.inputs],
        layer_classes=classes,
        input_names=options.input_names,
        output_names=options.output_names,
    ).all()
    given = () if options.samples is None else read_requests(options.samples, endpoints[0].plain)
    check_count(len(endpoints), options.warmup)
    source = _Source(model, endpoints, given, request.inspection.size, options.close, report)
    source.record()
    optimizing = Optimizing.of(model, endpoints, report) if options.optimize else None
    exported = export(
        endpoints,
        request.work,
        resources=model.resources,
        variables=model.variables,
        ahead=ahead,
        report=report,
    )
    gc.collect()  # graphs are cycles
    give_back_pages()
    deviations = source.compare(request.work, optimized=optimizing is not None)
    golden = _compare_golden(request, model, endpoints[0], report)
    say(report, "writing the contract")
    contract = Contract(
        source=request.inspection.path.name,
        source_sha256=hashing.result(),
        tensorflow=tf.__version__,
        loader=model.loader,
        signatures=exported.signatures,
        samples=source.samples,
        model=request.name,
        examples=example_calls(exported.signatures, source.samples, request.name),
    )
    with writing(request.work):
        write_contract(contract, request.work)
        if options.warmup:
            played = _to_play(source.samples, endpoints, given, options, report)
            if played:
                write_warmup(request.work, played, exported.signatures, model_name=request.name)
    foreign = request.inspection.kind is FileKind.SAVED_MODEL  # which tells nothing of its layers
    unscaled = () if foreign else unscaled_images(inputs, request.declaration, classes)
    return ConversionResult(
        loader=model.loader,
        tensorflow=tf.__version__,
        source_sha256=contract.source_sha256,
        signatures=exported.signatures,
        bindings=optimizing.noted(model.bindings) if optimizing else model.bindings,
        parameters=model.parameters,
        deviations=deviations,
        golden=golden,
        warnings=(*model.warnings, *exported.warnings, *unscaled, *shipped(options)),
        fallbacks=(*exported.fallbacks, *source.fallbacks),
        peak_memory=peak_memory(),
        optimization=optimizing.measured(request.work, source.samples[0], report) if optimizing else None,
    )


_READ_OFTEN = 64 << 20
"""Bytes of a file from which fewer requests are recorded: for each of them, its weights are read again."""


class _Source:
    """The source model, asked while its weights are read from the file as layers need them.

    A model whose own code reads variables in a way that nobody foresaw answers wrongly, or not at all, while
    its weights are in the file. So before anything is called a failure, they are held in memory.
    """

    def __init__(
        self,
        model: LoadedModel,
        endpoints: Sequence[Endpoint],
        given: Any,
        size: int,
        close: Closeness,
        report: Report,
    ) -> None:
        self._model, self._endpoints, self._given, self._report = model, endpoints, given, report
        self._close = close
        self._batches = (1, 2, 3) if size < _READ_OFTEN else (1, 2)
        self.samples: tuple[Sample, ...] = ()
        self.fallbacks: list[str] = []

    def record(self) -> None:
        """Ask it, and keep the answers."""
        try:
            self._record()
        except ExportError as error:
            self._hold(error)
            self._record()

    def compare(self, folder: Path, *, optimized: bool = False) -> tuple[Deviation, ...]:
        """Ask the SavedModel in ``folder`` the same; return the largest difference of each output.

        The source cannot be asked anew where its weights were ``optimized`` since.
        """
        try:
            return self._compare(folder)
        except ParityError as error:
            if optimized:
                raise ParityError(
                    f"optimized, {error.message}", hint=f"convert without --optimize; {error.hint}"
                ) from error
            self._hold(error)
            self._record()
            return self._compare(folder)

    def _record(self) -> None:
        from packager.savedmodel.export import record_samples

        self.samples = record_samples(
            self._endpoints, self._given, batches=self._batches, report=self._report
        )

    def _compare(self, folder: Path) -> tuple[Deviation, ...]:
        from packager.savedmodel.parity import measure_parity

        deviations, reasons = measure_parity(folder, self.samples, close=self._close, report=self._report)
        self.fallbacks += reasons
        return deviations

    def _hold(self, error: ExportError) -> None:
        if not self._model.hold():
            raise error
        self.fallbacks.append(f"the weights were held in memory, for otherwise {error.message}")
        detail(self._report, self.fallbacks[-1])


def _check_golden(request: ConversionRequest) -> None:
    """Raise SignatureError where golden outputs have no signature to be compared with."""
    if request.options.golden is not None and not request.declaration.signatures.get(DEFAULT_KEY, True):
        raise SignatureError(
            f"--golden {str(request.options.golden)!r}: signatures.serving_default = false leaves no tensors "
            "to compare",
            hint="convert without --golden, or with the signature serving_default",
        )


def _compare_golden(
    request: ConversionRequest, model: LoadedModel, endpoint: Endpoint, report: Report
) -> float | None:
    """Return the largest difference from the golden outputs, ``None`` where there are none."""
    from packager.savedmodel.golden import Aliases, measure_golden

    if request.options.golden is None:
        return None
    say(report, "comparing the SavedModel with golden outputs")
    return measure_golden(
        request.work,
        endpoint,
        request.options.golden,
        aliases=Aliases.of([given.spec for given in model.inputs], model.outputs, endpoint),
        tolerance=request.options.golden_tolerance,
    )


def _to_play(
    samples: Sequence[Sample],
    endpoints: Sequence[Endpoint],
    given: Sequence[Sequence[Any]],
    options: ConversionOptions,
    report: Report,
) -> Sequence[Sample]:
    """Return what a server is to play: the user's own requests where that was asked for, else random ones."""
    from packager.savedmodel.export import record_samples
    from packager.savedmodel.warmup import in_batches

    if options.warmup_samples:
        requests = in_batches(given[-1], options.warmup)
        return record_samples(endpoints, requests, report=report)
    known = {(sample.signature, sample.batch): sample for sample in samples if not given}
    wanted = [(end.key, batch) for end in endpoints for batch in options.warmup]
    if known.keys() >= set(wanted):
        return [known[key] for key in wanted]
    try:
        return record_samples(endpoints, batches=options.warmup, report=report)
    except ExportError as error:
        if not given:
            raise
        warn(report, f"no warm-up: {error.message}; --warmup-samples plays yours instead")
        return ()


def shipped(options: ConversionOptions) -> tuple[str, ...]:
    """Note where the user's own requests are: whoever has the image can read them."""
    if options.samples is None:
        return ()
    played = " and the warm-up" if options.warmup_samples and options.warmup else ""
    return (f"the requests of {str(options.samples)!r} ship in the image: they are in the contract{played}",)


def source_digest(source: Inspection) -> str:
    """Return the SHA-256 of a file; of a folder, of what ``sha256sum`` says of its files, by path."""
    from packager.savedmodel.source import source_files

    if source.kind is not FileKind.SAVED_MODEL:
        return _sha256(source.path)
    listing = (f"{_sha256(source.path / name)}  {name}\n" for name in source_files(source.path))
    return hashlib.sha256("".join(listing).encode()).hexdigest()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def peak_memory() -> int:
    """Return the most bytes that this process had; Linux counts in KiB, macOS in bytes (getrusage(2))."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
