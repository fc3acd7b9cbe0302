"""Builds the classes of the messages from their tables, in a pool of descriptors of their own."""

from __future__ import annotations

import functools
from typing import Any

from google.protobuf import any_pb2, descriptor_pool, message_factory, wrappers_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from packager.protocol.tables import ENUMS, MESSAGES

PACKAGE = "tensorflow.serving"
_WELL_KNOWN = (any_pb2, wrappers_pb2)


@functools.cache
def message(name: str) -> Any:
    """Return the class of the message ``name`` of TensorFlow Serving, ``ModelServerConfig``."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))


@functools.cache
def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for module in _WELL_KNOWN:
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(described().SerializeToString())
    return pool


def described() -> FileDescriptorProto:
    """Return all messages as one file, as protobuf describes files."""
    file = FileDescriptorProto(name="tensorflow_serving.proto", package=PACKAGE, syntax="proto3")
    file.dependency.extend(module.DESCRIPTOR.name for module in _WELL_KNOWN)
    messages: dict[str, DescriptorProto] = {}
    for name, fields in MESSAGES.items():
        parent, _, own_name = name.rpartition(".")
        into = messages[parent].nested_type if parent else file.message_type
        messages[name] = into.add(name=own_name)
        for field, (number, kind) in fields.items():
            _add_field(messages[name], f".{PACKAGE}.{name}", field, number, kind)
    for name, values in ENUMS.items():
        parent, _, own_name = name.rpartition(".")
        enum = (messages[parent] if parent else file).enum_type.add(name=own_name)
        for value, number in values.items():
            enum.value.add(name=value, number=number)
    return file


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
    field.type = FieldDescriptorProto.TYPE_ENUM if kind in ENUMS else FieldDescriptorProto.TYPE_MESSAGE
    qualified = kind.startswith((".", "google."))
    field.type_name = f".{kind.lstrip('.')}" if qualified else f".{PACKAGE}.{kind}"
