"""The protobuf messages of TensorFlow Serving, declared here as tables and built when imported.

Names and numbers are those of the ``.proto`` files of github.com/tensorflow/serving, so that text files
and requests written for it are understood. The messages live in a descriptor pool of their own: another
package in the process may bring the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import any_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

_PACKAGE = "tensorflow.serving"
_POLICY = "FileSystemStoragePathSourceConfig.ServableVersionPolicy"

Fields = Mapping[str, tuple[int, str]]
"""Field names with their numbers and types: ``int64``, ``repeated int64``, ``map<string, int64>``, a message.

A type after ``oneof`` is an alternative to the others that are so marked.
"""

_MESSAGES: dict[str, Fields] = {
    "FileSystemStoragePathSourceConfig": {},
    _POLICY: {
        "latest": (100, f"oneof {_POLICY}.Latest"),
        "all": (101, f"oneof {_POLICY}.All"),
        "specific": (102, f"oneof {_POLICY}.Specific"),
    },
    f"{_POLICY}.Latest": {"num_versions": (1, "uint32")},
    f"{_POLICY}.All": {},
    f"{_POLICY}.Specific": {"versions": (1, "repeated int64")},
    "SamplingConfig": {"sampling_rate": (1, "double")},
    "LogCollectorConfig": {"type": (1, "string"), "filename_prefix": (2, "string")},
    "LoggingConfig": {
        "log_collector_config": (1, "LogCollectorConfig"),
        "sampling_config": (2, "SamplingConfig"),
    },
    "ModelConfig": {
        "name": (1, "string"),
        "base_path": (2, "string"),
        "model_type": (3, "ModelType"),
        "model_platform": (4, "string"),
        "logging_config": (6, "LoggingConfig"),
        "model_version_policy": (7, _POLICY),
        "version_labels": (8, "map<string, int64>"),
    },
    "ModelConfigList": {"config": (1, "repeated ModelConfig")},
    "ModelServerConfig": {
        "model_config_list": (1, "oneof ModelConfigList"),
        "custom_model_config": (2, "oneof google.protobuf.Any"),
    },
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, "PrometheusConfig")},
    # The part that is needed here of a message of TensorFlow's (config.proto)
    "RunOptions": {"timeout_in_ms": (2, "int64")},
}

_ENUMS = {"ModelType": ("MODEL_TYPE_UNSPECIFIED", "TENSORFLOW", "OTHER")}


def _build() -> descriptor_pool.DescriptorPool:
    file = FileDescriptorProto(name="tensorflow_serving.proto", package=_PACKAGE, syntax="proto3")
    file.dependency.append(any_pb2.DESCRIPTOR.name)
    for name, values in _ENUMS.items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    messages: dict[str, DescriptorProto] = {}
    for name, fields in _MESSAGES.items():
        parent, _, own_name = name.rpartition(".")
        into = messages[parent].nested_type if parent else file.message_type
        messages[name] = into.add(name=own_name)
        for field, (number, kind) in fields.items():
            _add_field(messages[name], f".{_PACKAGE}.{name}", field, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(any_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _add_field(message: DescriptorProto, path: str, name: str, number: int, kind: str) -> None:
    field = message.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
    if kind.startswith("oneof "):
        kind = kind.removeprefix("oneof ")
        if not message.oneof_decl:
            message.oneof_decl.add(name="choice")
        field.oneof_index = 0
    if kind.startswith("map<"):
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        for part, (part_name, part_kind) in enumerate(
            zip(("key", "value"), kind[4:-1].split(", "), strict=True), 1
        ):
            _add_field(entry, "", part_name, part, part_kind)
        kind = f"repeated {path}.{entry.name}"
    if kind.startswith("repeated "):
        kind = kind.removeprefix("repeated ")
        field.label = FieldDescriptorProto.LABEL_REPEATED
    _set_type(field, kind)


def _set_type(field: FieldDescriptorProto, kind: str) -> None:
    if scalar := FieldDescriptorProto.Type.DESCRIPTOR.values_by_name.get(f"TYPE_{kind.upper()}"):
        field.type = scalar.number
        return
    is_enum = kind in _ENUMS
    field.type = FieldDescriptorProto.TYPE_ENUM if is_enum else FieldDescriptorProto.TYPE_MESSAGE
    qualified = kind.startswith((".", "google."))
    field.type_name = f".{kind.lstrip('.')}" if qualified else f".{_PACKAGE}.{kind}"


_POOL = _build()


def message(name: str) -> Any:
    """Return the class of the message ``name`` of TensorFlow Serving, ``ModelServerConfig``."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
