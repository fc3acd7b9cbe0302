"""Which models to serve: from the flags, or from a ModelServerConfig file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from packager.protocol import message
from packager.serving.log import log
from packager.serving.models.policies import All, Latest, Specific, VersionPolicy
from packager.serving.status import Code, StatusError, failed_precondition, invalid_argument

DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"

_PLATFORM = "tensorflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """One model to serve."""

    name: str
    base_path: str
    """The folder of its version folders."""
    policy: VersionPolicy = field(default_factory=Latest)
    labels: Mapping[str, int] = field(default_factory=dict)


def read_text_message(path: str, name: str) -> Any:
    """Read the protobuf text file ``path`` as the message ``name``, or raise StatusError."""
    try:
        return text_format.Parse(Path(path).read_bytes(), message(name)())
    except OSError as error:
        code = Code.NOT_FOUND if isinstance(error, FileNotFoundError) else Code.UNKNOWN
        raise StatusError(code, f"{path}; {error.strerror}") from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        log.error("Error parsing text-format tensorflow.serving.%s: %s", name, error)
        raise invalid_argument(f"Invalid protobuf file: '{path}'") from error


def read_model_config(path: str) -> tuple[ModelConfig, ...] | None:
    """Read a ModelServerConfig file, or raise StatusError; ``None`` where it configures nothing."""
    config = read_text_message(path, "ModelServerConfig")
    return models_of(config) if config.WhichOneof("choice") else None


def models_of(config: Any) -> tuple[ModelConfig, ...]:
    """Return the models of a ModelServerConfig message, or raise StatusError."""
    if config.HasField("custom_model_config"):
        raise failed_precondition("ModelServer does not yet support custom model config.")
    for model in config.model_config_list.config:
        _check_platform(model)
        if model.HasField("logging_config") or model.logging_configs:
            log.warning(
                "logging_config of model %s: no requests are logged, and TensorFlow Serving refuses it",
                model.name,
            )
    return tuple(
        ModelConfig(
            name=model.name,
            base_path=model.base_path,
            policy=_policy(model.model_version_policy),
            labels=dict(model.version_labels),
        )
        for model in config.model_config_list.config
    )


def check_models(models: Iterable[ModelConfig]) -> None:
    """Raise StatusError if a model is named twice or its base path is relative."""
    names: set[str] = set()
    for model in models:
        if model.name in names:
            raise invalid_argument(f"Illegal to list model {model.name} multiple times in config list")
        names.add(model.name)
        if not model.base_path.startswith("/") and not has_scheme(model.base_path):
            raise invalid_argument(
                f"Expected model {model.name} to have an absolute path or URI; "
                f"got base_path()={model.base_path}"
            )


def has_scheme(path: str) -> bool:
    """Tell whether ``path`` is a URI, ``gs://bucket/model``."""
    return re.match(r"[a-zA-Z][a-zA-Z0-9.]*://", path) is not None


def local_path(path: str) -> str:
    """Return a path as Python knows it: TensorFlow also takes ``file:///models/digits``."""
    return path.removeprefix("file://")


def read_metrics_path(path: str) -> str | None:
    """Return where the MonitoringConfig file wants the metrics page, ``None`` where it wants none."""
    config = read_text_message(path, "MonitoringConfig").prometheus_config
    return (config.path or DEFAULT_METRICS_PATH) if config.enable else None


def _check_platform(model: Any) -> None:
    if model.model_type:
        log.warning("Deprecated ModelServerConfig::model_type field used. Prefer model_platform.")
        if model.model_platform:
            raise invalid_argument(
                "Illegal setting both ModelServerConfig::model_type (deprecated) "
                "and ModelServerConfig::model_platform."
            )
        if (
            model.model_type
            != model.DESCRIPTOR.file.enum_types_by_name["ModelType"].values_by_name["TENSORFLOW"].number
        ):
            raise invalid_argument(f"ModelServerConfig::model_type choice {model.model_type} not supported.")
    elif not model.model_platform:
        raise invalid_argument(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) "
            "nor ModelServerConfig::model_platform."
        )
    elif model.model_platform != _PLATFORM:
        raise invalid_argument(f"Model {model.name} requests unsupported platform {model.model_platform}")


def _policy(policy: Any) -> VersionPolicy:
    match policy.WhichOneof("choice"):
        case "all":
            return All()
        case "specific":
            return Specific(frozenset(policy.specific.versions))
        case _:
            return Latest(policy.latest.num_versions or 1)
