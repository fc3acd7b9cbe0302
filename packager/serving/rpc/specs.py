"""The ModelSpec of requests and answers: which model is meant, and which one answered."""

from __future__ import annotations

from typing import Any

from packager.protocol import message
from packager.serving.inference import DEFAULT_SIGNATURE
from packager.serving.models.catalog import ModelSpec
from packager.serving.native.servable import Servable
from packager.serving.status import invalid_argument


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
