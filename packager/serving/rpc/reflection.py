"""Server reflection: tells tools like grpcurl what the services and their messages are.

TensorFlow Serving has no such service. The descriptions are made of the tables of the protocol; fields that
hold a serialised message of TensorFlow's are told as that message.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import grpc
from google.protobuf import any_pb2, wrappers_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from packager.protocol import SERVICES, message
from packager.protocol.pool import PACKAGE, described
from packager.serving.native.generated import generated, with_dependencies
from packager.serving.status import Code

VERSIONS = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")

_TENSOR, _EXAMPLE = ".tensorflow.TensorProto", ".tensorflow.Example"
_SERIALISED = {
    ("PredictRequest", "inputs"): _TENSOR,
    ("PredictResponse", "outputs"): _TENSOR,
    ("ExampleList", "examples"): _EXAMPLE,
    ("ExampleListWithContext", "examples"): _EXAMPLE,
    ("ExampleListWithContext", "context"): _EXAMPLE,
}
"""Fields of ``bytes`` in the tables that hold a message."""
_MODULES = ("core.framework.tensor_pb2", "core.example.example_pb2")


def reflection(services: Sequence[str], *, streams: int) -> Iterator[grpc.GenericRpcHandler]:
    """Yield what answers about services, on at most so many streams at once: each keeps a thread."""
    room = threading.BoundedSemaphore(streams)

    def answer_all(requests: Iterable[bytes], context: grpc.ServicerContext) -> Iterator[Any]:
        if not room.acquire(blocking=False):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many streams of reflection")
        try:
            for request in requests:
                yield _answer(message("ServerReflectionRequest").FromString(request), services)
        except DecodeError:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "could not parse request")
        finally:
            room.release()

    handler = grpc.stream_stream_rpc_method_handler(
        answer_all,
        response_serializer=message("ServerReflectionResponse").SerializeToString,
    )
    for name in VERSIONS:
        yield grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler})


def _answer(request: Any, services: Sequence[str]) -> Any:
    answer = message("ServerReflectionResponse")(valid_host=request.host, original_request=request)
    asked = request.WhichOneof("choice")
    try:
        match asked:
            case "list_services":
                for name in sorted((*services, *VERSIONS)):
                    answer.list_services_response.service.add(name=name)
            case "file_by_filename":
                _add_file(answer, _pool().FindFileByName(request.file_by_filename))
            case "file_containing_symbol":
                _add_file(answer, _pool().FindFileContainingSymbol(request.file_containing_symbol))
            case _:
                _refuse(answer, Code.UNIMPLEMENTED, f"{asked} is not answered here")
    except KeyError:
        _refuse(answer, Code.NOT_FOUND, f"not found: {getattr(request, asked)}")
    return answer


def _add_file(answer: Any, file: Any) -> None:
    answer.file_descriptor_response.file_descriptor_proto.append(file.serialized_pb)


def _refuse(answer: Any, code: Code, words: str) -> None:
    answer.error_response.error_code = code
    answer.error_response.error_message = words


@functools.cache
def _pool() -> DescriptorPool:
    """Return all files that are told of."""
    pool = DescriptorPool()
    dependencies = [generated(module).DESCRIPTOR for module in _MODULES]
    for known in (any_pb2.DESCRIPTOR, wrappers_pb2.DESCRIPTOR, *with_dependencies(dependencies)):
        pool.AddSerializedFile(known.serialized_pb)
    file = described()
    file.dependency.extend(dependency.name for dependency in dependencies)
    for told in file.message_type:
        _tell_serialised(told)
    pool.AddSerializedFile(file.SerializeToString())
    for service in SERVICES:
        pool.AddSerializedFile(_service_file(service, file.name).SerializeToString())
    return pool


def _tell_serialised(told: DescriptorProto) -> None:
    for field in told.field:
        if kind := _SERIALISED.get((told.name, field.name)):
            entry = field.type_name.rpartition(".")[2]
            holder = next((nested.field[1] for nested in told.nested_type if nested.name == entry), field)
            holder.type = FieldDescriptorProto.TYPE_MESSAGE
            holder.type_name = kind


def _service_file(name: str, dependency: str) -> FileDescriptorProto:
    package, _, own_name = name.rpartition(".")
    file = FileDescriptorProto(name=f"{name}.proto", package=package, syntax="proto3")
    file.dependency.append(dependency)
    service = file.service.add(name=own_name)
    for method, (request, response) in SERVICES[name].items():
        service.method.add(
            name=method, input_type=f".{PACKAGE}.{request}", output_type=f".{PACKAGE}.{response}"
        )
    return file
