"""From an inspected ``.h5`` file to a finished version folder: the part that needs TensorFlow.

It runs in a process of its own (``packager.isolation``), so nothing here is imported by the command itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packager.contract import Contract, example_calls, write_contract
from packager.progress import Report, say
from packager.signatures import Declaration
from packager.values import Binding, ConversionOptions, FileKind, Inspection, Signature, Supplied


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionRequest:
    """An inspected file, and what its SavedModel is to look like."""

    inspection: Inspection
    config: Mapping[str, Any] | None
    """The architecture, as the file or one beside it holds it; ``None`` where the user's code makes it."""
    options: ConversionOptions
    source_sha256: str
    name: str
    """The model's."""
    declaration: Declaration
    """What the signature file of the options declares."""
    work: Path
    """An empty folder to write the SavedModel into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionResult:
    """What was found out while converting."""

    loader: str
    tensorflow: str
    signatures: tuple[Signature, ...]
    bindings: tuple[Binding, ...]
    parameters: int
    parity: float
    warnings: tuple[str, ...]


ENVIRONMENT: Mapping[str, str] = {
    "KERAS_BACKEND": "tensorflow",  # whatever ~/.keras/keras.json prefers
    "CUDA_VISIBLE_DEVICES": "",  # a graph traced beside a GPU may name kernels that only a GPU has
    "TF_CPP_MIN_LOG_LEVEL": "2",
}
"""Variables that the process must start with."""


def environment(inspection: Inspection) -> Mapping[str, str]:
    """Return the variables for rebuilding a file: the Keras of TensorFlow is the one that wrote it."""
    keras2 = inspection.keras_generation in (1, 2) or inspection.kind is FileKind.WEIGHTS
    return {**ENVIRONMENT, "TF_USE_LEGACY_KERAS": "1" if keras2 else "0"}


def propose_mapping(
    inspection: Inspection, config: Mapping[str, Any] | None, supplied: Supplied, *, report: Report
) -> str:
    """Write a mapping file to start from."""
    say(report, "importing TensorFlow")
    from packager import loading

    say(report, "building the architecture")
    return loading.propose_mapping(inspection, config, supplied)


def convert_inspected(request: ConversionRequest, *, report: Report) -> ConversionResult:
    """Rebuild the model, write its SavedModel and contract into ``request.work``, and compare the two.

    Raises ModelLoadError, SignatureError, ExportError or ParityError.
    """
    say(report, "importing TensorFlow")
    import tensorflow as tf

    from packager.loading import load_model
    from packager.savedmodel.export import export, measure_parity, record_samples, writing
    from packager.savedmodel.given import read_requests
    from packager.savedmodel.warmup import write_warmup
    from packager.signatures.endpoints import Endpoints, unscaled_images

    options = request.options
    say(report, "rebuilding the model")
    model = load_model(request.inspection, request.config, options.supplied)
    inputs = tuple(given.spec for given in model.inputs)
    endpoints = Endpoints(
        model.call,
        inputs,
        model.outputs,
        declaration=request.declaration,
        vocabularies=[given.vocabulary for given in model.inputs],
        input_names=options.input_names,
        output_names=options.output_names,
    ).all()
    given = () if options.samples is None else read_requests(options.samples, endpoints[0].inputs)
    samples = record_samples(endpoints, given, report=report)
    exported = export(endpoints, request.work, report=report)
    say(report, "comparing the SavedModel with its source")
    parity = measure_parity(request.work, samples)
    classes = [layer.class_name for layer in request.inspection.layers]
    contract = Contract(
        source=request.inspection.path.name,
        source_sha256=request.source_sha256,
        tensorflow=tf.__version__,
        loader=model.loader,
        signatures=exported.signatures,
        samples=samples,
        model=request.name,
        examples=example_calls(exported.signatures, samples, request.name),
    )
    with writing(request.work):
        write_contract(contract, request.work)
        if options.warmup:
            played = record_samples(endpoints, batches=options.warmup, report=report)
            write_warmup(request.work, played, model_name=request.name)
    return ConversionResult(
        loader=model.loader,
        tensorflow=tf.__version__,
        signatures=exported.signatures,
        bindings=model.bindings,
        parameters=model.parameters,
        parity=parity,
        warnings=(
            *model.warnings,
            *exported.warnings,
            *unscaled_images(inputs, request.declaration, classes),
        ),
    )
