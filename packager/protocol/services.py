"""The gRPC services: which methods they have, and the messages that these take and return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packager.protocol.pool import message

PREDICTION = "tensorflow.serving.PredictionService"
MODEL = "tensorflow.serving.ModelService"
HEALTH = "grpc.health.v1.Health"
PROFILER = "tensorflow.ProfilerService"

SERVICES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    PREDICTION: {
        "Classify": ("ClassificationRequest", "ClassificationResponse"),
        "Regress": ("RegressionRequest", "RegressionResponse"),
        "Predict": ("PredictRequest", "PredictResponse"),
        "MultiInference": ("MultiInferenceRequest", "MultiInferenceResponse"),
        "GetModelMetadata": ("GetModelMetadataRequest", "GetModelMetadataResponse"),
    },
    MODEL: {
        "GetModelStatus": ("GetModelStatusRequest", "GetModelStatusResponse"),
        "HandleReloadConfigRequest": ("ReloadConfigRequest", "ReloadConfigResponse"),
    },
    HEALTH: {"Check": ("HealthCheckRequest", "HealthCheckResponse")},
    PROFILER: {
        "Profile": ("ProfileRequest", "ProfileResponse"),
        "Terminate": ("TerminateRequest", "TerminateResponse"),
        "Monitor": ("MonitorRequest", "MonitorResponse"),
    },
}
"""The methods of each service, with the messages that they take and return."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method of a service that takes one message and returns one."""

    path: str
    """``/tensorflow.serving.PredictionService/Predict``."""
    request: Any
    """The class of the message that it takes."""
    response: Any
    """The class of the message that it returns."""

    @property
    def codecs(self) -> Mapping[str, Callable[..., Any]]:
        """What a client's ``channel.unary_unary(method.path, **method.codecs)`` wants to know."""
        return {
            "request_serializer": self.request.SerializeToString,
            "response_deserializer": self.response.FromString,
        }


def methods(service: str) -> Iterator[tuple[str, Method]]:
    """Yield the methods of a service with their names."""
    for name, (request, response) in SERVICES[service].items():
        path = f"/{service}/{name}"
        yield name, Method(path=path, request=message(request), response=message(response))
