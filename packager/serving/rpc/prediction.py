"""What can be asked of models over gRPC: each method takes a request and returns its answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

from packager.protocol import message
from packager.serving.examples import CLASSIFY, Classes, Values, classify, infer_all, regress
from packager.serving.inference import InferenceOptions, predict
from packager.serving.models.catalog import Catalog
from packager.serving.rpc.requests import PredictRequest
from packager.serving.rpc.specs import answering, examples_in, model_spec, signature_of, spec_of, task_of
from packager.serving.rpc.tensor_protos import serialised
from packager.serving.status import invalid_argument

_SIGNATURES = "signature_def"


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionService:
    """What can be asked of models."""

    catalog: Catalog
    options: InferenceOptions
    as_content: bool = False
    """Whether predictions are answered with ``tensor_content``."""

    def Predict(self, request: PredictRequest, timeout_ms: int) -> Any:  # noqa: N802 - the protocol's name
        """Run a signature on tensors."""
        with self.catalog.use(spec_of(request.message)) as servable:
            signature = signature_of(servable, request.model_spec)
            options = replace(self.options, timeout_ms=timeout_ms)
            outputs = predict(servable, signature, request.inputs, options, request.message.output_filter)
            response = message("PredictResponse")(model_spec=answering(request.model_spec, servable))
        for name, tensor in outputs.items():
            response.outputs[name] = serialised(tensor, as_content=self.as_content)
        return response

    def Classify(self, request: Any, timeout_ms: int) -> Any:  # noqa: N802
        """Find the classes of examples."""
        with self.catalog.use(spec_of(request)) as servable:
            options = replace(self.options, timeout_ms=timeout_ms)
            found = classify(servable, request.model_spec.signature_name, examples_in(request.input), options)
            spec = answering(request.model_spec, servable)
        return message("ClassificationResponse")(result=_classification_result(found), model_spec=spec)

    def Regress(self, request: Any, timeout_ms: int) -> Any:  # noqa: N802
        """Find a value for each example."""
        with self.catalog.use(spec_of(request)) as servable:
            options = replace(self.options, timeout_ms=timeout_ms)
            found = regress(servable, request.model_spec.signature_name, examples_in(request.input), options)
            spec = answering(request.model_spec, servable)
        return message("RegressionResponse")(result=_regression_result(found), model_spec=spec)

    def MultiInference(self, request: Any, timeout_ms: int) -> Any:  # noqa: N802
        """Classify and regress the same examples, by several signatures of one model."""
        specs = [task.model_spec for task in request.tasks] or [message("ModelSpec")()]
        tasks = list(map(task_of, request.tasks))
        with self.catalog.use(model_spec(specs[0])) as servable:
            options = replace(self.options, timeout_ms=timeout_ms)
            found = infer_all(servable, tasks, examples_in(request.input), options)
            answered_by = [answering(spec, servable) for spec in specs]
        response = message("MultiInferenceResponse")()
        for task, spec, result in zip(tasks, answered_by, found, strict=False):
            added = response.results.add(model_spec=spec)
            if task.method == CLASSIFY:
                added.classification_result.CopyFrom(_classification_result(cast(Classes, result)))
            else:
                added.regression_result.CopyFrom(_regression_result(cast(Values, result)))
        return response

    def GetModelMetadata(self, request: Any, timeout_ms: int) -> Any:  # noqa: N802, ARG002
        """Tell the signatures of a model."""
        spec = spec_of(request)
        if not request.metadata_field:
            raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != _SIGNATURES:
                raise invalid_argument(f"Metadata field %s is not supported{field}")
        response = message("GetModelMetadataResponse")()
        signatures = message("SignatureDefMap")()
        with self.catalog.use(spec) as servable:
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
            for key, signature in servable.signatures.items():
                signatures.signature_def[key].ParseFromString(signature.definition.SerializeToString())
        response.metadata[_SIGNATURES].Pack(signatures)
        return response


def _classification_result(found: Classes) -> Any:
    result = message("ClassificationResult")()
    for classes in found:
        added = result.classifications.add()
        for one in classes:
            added.classes.add(label=one.label.decode("utf-8", "replace"), score=one.score)
    return result


def _regression_result(found: Values) -> Any:
    result = message("RegressionResult")()
    for value in found:
        result.regressions.add(value=value)
    return result
