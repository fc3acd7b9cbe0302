"""What request messages have in common: which model they are for, which signature, which examples."""

from __future__ import annotations

from typing import Any

from packager.protocol import message
from packager.serving.examples import Task
from packager.serving.inference import DEFAULT_SIGNATURE
from packager.serving.models.catalog import ModelSpec
from packager.serving.native.servable import Servable
from packager.serving.native.signatures import Signature
from packager.serving.status import failed_precondition, invalid_argument


def spec_of(request: Any) -> ModelSpec:
    """Return which model a request is for, or raise StatusError."""
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    return model_spec(request.model_spec)


def model_spec(spec: Any) -> ModelSpec:
    """Return a ModelSpec message as a value."""
    choice = spec.WhichOneof("choice")
    return ModelSpec(
        name=spec.name,
        version=spec.version.value if choice == "version" else None,
        label=spec.version_label if choice == "version_label" else None,
    )


def answering(asked: Any, servable: Servable) -> Any:
    """Return the ModelSpec of an answer: the version that was found, and the signature that was run."""
    spec = message("ModelSpec")(name=asked.name, signature_name=asked.signature_name or DEFAULT_SIGNATURE)
    spec.version.value = servable.version
    return spec


def examples_in(given: Any) -> list[bytes]:
    """Return the serialised Examples of an Input."""
    # Parsing the bytes of two messages in a row merges them: that is how each example gets the context
    kind = given.WhichOneof("choice")
    if kind == "example_list":
        return list(given.example_list.examples)
    context = given.example_list_with_context.context
    return [context + example for example in given.example_list_with_context.examples]


def task_of(task: Any) -> Task:
    """Return an InferenceTask message as a value."""
    spec = task.model_spec
    return Task(model=spec.name, key=spec.signature_name or DEFAULT_SIGNATURE, method=task.method_name)


def signature_of(servable: Servable, spec: Any) -> Signature:
    """Return the signature to predict by, or raise StatusError."""
    key = spec.signature_name or DEFAULT_SIGNATURE
    if key not in servable.signatures:
        raise failed_precondition(f'Serving signature key "{key}" not found.')
    return servable.signatures[key]
