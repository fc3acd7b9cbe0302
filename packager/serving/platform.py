"""How SavedModels are loaded, by the flags or by a PlatformConfigMap file in their place."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import any_pb2, text_format, wrappers_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from packager.protocol.pool import PACKAGE, described
from packager.serving.batching.parameters import (
    BatchingParameters,
    parameters_of,
    read_batching_parameters,
)
from packager.serving.flags import Parsed
from packager.serving.native.generated import generated, with_dependencies
from packager.serving.native.session_config import session_config
from packager.serving.status import Code, StatusError, invalid_argument

_PLATFORM = "tensorflow"
_ADAPTER = "SavedModelBundleSourceAdapterConfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What holds for the loading of every version."""

    tags: tuple[str, ...] = ("serve",)
    session_config: bytes = b""
    """A serialised ConfigProto."""
    batching: BatchingParameters | None = None
    """``None`` where requests are not batched."""
    batching_per_model: bool = False
    """Whether models bring parameters of their own."""
    lite_interpreters: int = 0
    """How many interpreters a TensorFlow Lite model has; with 0 none is preferred to a SavedModel."""
    warmup: bool = True
    iterations: int = 1
    """How often each recorded request is played."""


def platform_of(flags: Parsed) -> Platform:
    """Return what the flags want, or raise StatusError."""
    if path := flags.text("platform_config_file"):
        return _read_platform(path)
    return Platform(
        tags=tuple(flags.text("saved_model_tags").split(",")),
        session_config=session_config(flags),
        batching=_batching(flags),
        batching_per_model=flags.flag("enable_per_model_batching_parameters"),
        lite_interpreters=_lite_interpreters(flags) if flags.flag("prefer_tflite_model") else 0,
        warmup=flags.flag("enable_model_warmup"),
        iterations=max(flags.number("num_request_iterations_for_warmup"), 1),
    )


def _batching(flags: Parsed) -> BatchingParameters | None:
    path = flags.text("batching_parameters_file")
    if flags.flag("enable_batching"):
        return read_batching_parameters(path)
    if path:
        raise invalid_argument(
            "server_options.batching_parameters_file is set without setting "
            "server_options.enable_batching to true."
        )
    return None


def _lite_interpreters(flags: Parsed) -> int:
    return max(flags.number("num_tflite_pools"), 1) * max(flags.number("num_tflite_interpreters_per_pool"), 1)


def _read_platform(path: str) -> Platform:
    """Read a PlatformConfigMap file: what it does not say is off, whatever the flags say."""
    config = _bundle_config(path)
    iterations = config.model_warmup_options.num_request_iterations.value
    return Platform(
        tags=tuple(config.saved_model_tags) or Platform().tags,
        session_config=config.session_config.SerializeToString(),
        batching=(
            parameters_of(config.batching_parameters) if config.HasField("batching_parameters") else None
        ),
        lite_interpreters=1 if config.prefer_tflite_model else 0,
        warmup=config.enable_model_warmup,
        iterations=max(iterations, 1),
    )


def _bundle_config(path: str) -> Any:
    """Return the SessionBundleConfig of the platform that SavedModels are of."""
    try:
        platforms = text_format.Parse(
            Path(path).read_bytes(), _message("PlatformConfigMap")(), descriptor_pool=_pool()
        )
    except OSError as error:
        code = Code.NOT_FOUND if isinstance(error, FileNotFoundError) else Code.UNKNOWN
        raise StatusError(code, f"{path}; {error.strerror}") from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise invalid_argument(f"Invalid protobuf file: '{path}'") from error
    if _PLATFORM not in platforms.platform_configs:
        raise invalid_argument(f"'{path}' has no platform '{_PLATFORM}', which all models here are of")
    adapter = _message(_ADAPTER)()
    if not platforms.platform_configs[_PLATFORM].source_adapter_config.Unpack(adapter):
        raise invalid_argument(f"the platform '{_PLATFORM}' in '{path}' is loaded by no {_ADAPTER}")
    return adapter.legacy_config


def _message(name: str) -> Any:
    return GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))


@functools.cache
def _pool() -> DescriptorPool:
    """Return the protocol's messages with TensorFlow's ConfigProto, which this file has as text."""
    config = generated("core.protobuf.config_pb2").DESCRIPTOR
    pool = DescriptorPool()
    for known in with_dependencies((any_pb2.DESCRIPTOR, wrappers_pb2.DESCRIPTOR, config)):
        pool.AddSerializedFile(known.serialized_pb)
    file = described()
    file.dependency.append(config.name)
    (bundle,) = (told for told in file.message_type if told.name == "SessionBundleConfig")
    (field,) = (field for field in bundle.field if field.name == "session_config")
    field.type = FieldDescriptorProto.TYPE_MESSAGE
    field.type_name = ".tensorflow.ConfigProto"
    pool.AddSerializedFile(file.SerializeToString())
    return pool
