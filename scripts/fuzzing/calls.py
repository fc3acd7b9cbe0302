"""gRPC calls that make little sense, and what became of them."""

from __future__ import annotations

import contextlib
import socket
from random import Random
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.descriptor import FieldDescriptor

from packager.protocol import message, methods
from packager.protocol.services import MODEL, PREDICTION

if TYPE_CHECKING:
    from embedded_server import EmbeddedServer

PATIENCE = 60.0
_NAMES = ("affine", "echo_string", "echo_int64", "echo_float32", "pair", "shapes", "matrix", "absent", "")
_WORDS = (
    *_NAMES,
    "x",
    "y",
    "inputs",
    "serving_default",
    "classify",
    "regress",
    "signature_def",
    "\u2028",
    "\0",
)
_METHODS = ("tensorflow/serving/classify", "tensorflow/serving/regress")
_UNEXPECTED = (grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)
"""What only a server that failed, or did not answer, would end a call with."""


class GrpcCalls:
    """One client. Each method sends one request and returns what became of it."""

    def __init__(self, server: EmbeddedServer, random: Random) -> None:
        self._server = server
        self._random = random
        self._channel = grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}")
        # Reloading other models would take away what the other clients ask
        found = [pair for service in (PREDICTION, MODEL) for pair in methods(service)]
        self._methods = [method for name, method in found if name != "HandleReloadConfigRequest"]
        self._calls = {method.path: self._channel.unary_unary(method.path) for method in self._methods}

    def structured(self) -> str:
        """Send a message of the right type with odd values."""
        method = self._random.choice(self._methods)
        request = method.request()
        self._fill(request, 6)
        if self._random.random() < 0.9 and hasattr(request, "model_spec"):
            request.model_spec.name = self._random.choice(_NAMES)
        return self._call(method.path, request.SerializeToString())

    def raw_message(self) -> str:
        """Send bytes where a message should be, made of one or of nothing."""
        method = self._random.choice(self._methods)
        request = method.request()
        self._fill(request, 6)
        data = bytearray(request.SerializeToString())
        for _ in range(self._random.randint(1, 5)):
            at = self._random.randrange(len(data) + 1)
            data[at : at + self._random.randrange(3)] = self._random.randbytes(self._random.randrange(5))
        return self._call(method.path, bytes(data))

    def raw_bytes(self) -> str:
        """Send bytes to the port that are not, or hardly, HTTP/2."""
        random = self._random
        data = random.choice(
            (b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01")
        )
        data += random.randbytes(random.randrange(200))
        address = ("127.0.0.1", self._server.grpc_port)
        with (
            socket.create_connection(address, timeout=PATIENCE) as client,
            contextlib.suppress(ConnectionResetError, BrokenPipeError),
        ):
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
            return "closed"
        return "reset"

    def _call(self, path: str, request: bytes) -> str:
        try:
            self._calls[path](request, timeout=PATIENCE)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            if code in _UNEXPECTED:
                raise AssertionError(f"{path} {request!r:.300}: {code.name} {error.details()}") from error
            return code.name
        return "OK"

    def _fill(self, filled: Any, depth: int) -> None:
        """Give some fields of a message values, and of the messages in it."""
        for field in filled.DESCRIPTOR.fields:
            if self._random.random() < 0.35 or depth == 0:
                continue
            if field.message_type and field.message_type.GetOptions().map_entry:
                self._fill_map(getattr(filled, field.name), field, depth)
            elif field.message_type and field.is_repeated:
                for _ in range(self._random.randrange(3)):
                    self._fill(getattr(filled, field.name).add(), depth - 1)
            elif field.message_type:
                getattr(filled, field.name).SetInParent()
                self._fill(getattr(filled, field.name), depth - 1)
            elif field.is_repeated:
                values = [self._scalar(field) for _ in range(self._random.randrange(4))]
                getattr(filled, field.name).extend(values)
            else:
                setattr(filled, field.name, self._scalar(field))

    def _fill_map(self, entries: Any, field: FieldDescriptor, depth: int) -> None:
        value = field.message_type.fields_by_name["value"]
        for _ in range(self._random.randrange(3)):
            key = self._random.choice(_WORDS)
            if value.message_type:
                self._fill(entries[key], depth - 1)
            else:
                entries[key] = self._scalar(value)

    def _scalar(self, field: FieldDescriptor) -> Any:
        random = self._random
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            if field.type == FieldDescriptor.TYPE_BYTES:
                return self._tensor() if random.random() < 0.8 else random.randbytes(random.randrange(40))
            return random.choice(_METHODS if field.name == "method_name" else _WORDS)
        if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            return random.random() < 0.5
        if field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
            return random.choice((0.0, -1.5, float("nan"), float("inf")))
        if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
            return random.choice(field.enum_type.values).number
        return random.choice((0, 1, 2, 3, 2**31 - 1))

    def _tensor(self) -> bytes:
        """Return a TensorProto, often a proper one."""
        random = self._random
        tensor = message("TensorProto")(dtype=random.choice((1, 1, 1, 3, 7, 7, 9, 9, *range(-1, 30))))
        for _ in range(random.randrange(4)):
            tensor.tensor_shape.dim.add(size=random.choice((0, 1, 1, 2, 3, -1, 2**20, 2**40)))
        tensor.float_val.extend([1.0] * random.randrange(5))
        tensor.int64_val.extend([7] * random.randrange(5))
        tensor.string_val.extend([b"a"] * random.randrange(5))
        if random.random() < 0.3:
            tensor.tensor_content = random.randbytes(random.choice((0, 3, 4, 8, 64)))
        if random.random() < 0.1:
            tensor.version_number = random.choice((-1, 7))
        serialised: bytes = tensor.SerializeToString()
        return serialised
