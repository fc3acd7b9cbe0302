"""The gRPC server: ports, credentials and limits around the services, and status codes for their errors."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from packager.protocol import methods
from packager.protocol.services import PREDICTION
from packager.serving.log import log
from packager.serving.models.config import read_text_message
from packager.serving.rpc.requests import PredictRequest
from packager.serving.rpc.workers import Workers
from packager.serving.status import Code, StatusError, invalid_argument

MAX_REQUESTS = 4096
"""How many requests may wait and be answered at once; one more is told RESOURCE_EXHAUSTED."""
MAX_MESSAGE_BYTES = 2**31 - 1
LOOKAHEAD_BYTES = 2**20
"""How much clients may send before a request is read: an image at once, without a round trip in between.

Left to itself gRPC begins with 64 kB and gives more as its pings tell it: soon so much that nothing is sent
back at a request's end, which is then acknowledged only with the answer. Where BBR is the way in which the
client's system does TCP, it takes the model's time for the network's, and some requests 80 ms to be sent.
"""
MAX_ERROR_BYTES = 1024
"""How much of an error's text clients get (``grpc_status_util.cc``)."""

_PARSERS: Mapping[str, Callable[[bytes], Any]] = {f"/{PREDICTION}/Predict": PredictRequest.parse}
"""What reads requests for a method, if not the class of their messages."""

_LONGEST_TIMEOUT = 3600
_INT32 = range(-(2**31), 2**31)
_CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcOptions:
    """Where and how to listen."""

    port: int = 0
    """0 is none."""
    address: str = "0.0.0.0"
    socket_path: str = ""
    """Of a UNIX socket; empty is none."""
    ssl_config_file: str = ""
    alts: bool = False
    """Whether clients prove who they are as on Google Cloud, and then without ``ssl_config_file``."""
    channel_arguments: str = ""
    """``name=value,name=value``, as gRPC names them."""
    threads: int = 8


class GrpcServer:
    """Answers requests for services, each an object with a method of the name of each of the protocol's."""

    def __init__(
        self,
        services: Mapping[str, object],
        options: GrpcOptions,
        *,
        handlers: Sequence[grpc.GenericRpcHandler] = (),
        before_end: Callable[[], object] | None = None,
    ) -> None:
        """Open the ports, or raise StatusError. ``handlers`` take streams, which services do not."""
        self._before_end = before_end
        self._server = grpc.server(
            Workers(options.threads),
            options=[*channel_arguments(options.channel_arguments), *_ARGUMENTS],  # the first one counts
            maximum_concurrent_rpcs=MAX_REQUESTS,
        )
        for name, service in services.items():
            own = grpc.method_handlers_generic_handler(name, dict(_handlers(name, service)))
            self._server.add_generic_rpc_handlers((own,))
        self._server.add_generic_rpc_handlers(tuple(handlers))
        if options.alts:
            credentials = grpc.alts_server_credentials()
        else:
            credentials = _credentials(options.ssl_config_file)
        if options.port:
            self._listen(f"{options.address}:{options.port}", credentials)
        if options.socket_path:
            self._listen(f"unix:{options.socket_path}", credentials)
        self._server.start()
        if options.port:
            log.info("Running gRPC ModelServer at %s:%d ...", options.address, options.port)
        if options.socket_path:
            log.info("Running gRPC ModelServer at UNIX socket %s ...", options.socket_path)

    def drain(self, seconds: float) -> threading.Event:
        """Take no more requests, and end those under way after so long; the event tells that all are over."""
        if self._before_end:
            self._before_end()
        over: threading.Event = self._server.stop(seconds)
        return over

    def _listen(self, address: str, credentials: Any) -> None:
        try:
            if credentials is None:
                self._server.add_insecure_port(address)
            else:
                self._server.add_secure_port(address, credentials)
        except RuntimeError as error:
            log.error("Failed to listen on %s: %s", address, error)
            raise invalid_argument("Failed to BuildAndStart gRPC server") from error


_ARGUMENTS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),
    ("grpc.http2.lookahead_bytes", LOOKAHEAD_BYTES),
    ("grpc.http2.bdp_probe", 0),
)


def channel_arguments(text: str) -> list[tuple[str, int | str]]:
    """Read arguments for gRPC; those that are numbers are passed as numbers."""
    pairs = [part.partition("=") for part in text.split(",") if part]
    return [(name, _as_number(value)) for name, _, value in pairs]


def _as_number(text: str) -> int | str:
    """Return a number of 32 bits as such, anything else as it is."""
    if re.fullmatch(r"[+-]?[0-9]{1,10}", text) and int(text) in _INT32:
        return int(text)
    return text


def _handlers(name: str, service: object) -> Iterable[tuple[str, Any]]:
    for method_name, method in methods(name):
        yield (
            method_name,
            grpc.unary_unary_rpc_method_handler(
                _answering(
                    getattr(service, method_name), _PARSERS.get(method.path, method.request.FromString)
                ),
                response_serializer=method.response.SerializeToString,
            ),
        )


def _answering(
    answer: Callable[[Any, int], Any], parse: Callable[[bytes], Any]
) -> Callable[[bytes, grpc.ServicerContext], Any]:
    """Make a handler of gRPC's of a method that raises StatusError.

    It parses requests itself: a parser that fails inside grpcio (1.85) costs 17 kB of memory for ever.
    """

    def handle(serialised: bytes, context: grpc.ServicerContext) -> Any:
        request: Any = None
        try:
            request = parse(serialised)
            return answer(request, _timeout_ms(context.time_remaining()))
        except DecodeError:
            error = StatusError(Code.INTERNAL, "Exception deserializing request!")
        except StatusError as failure:
            error = failure
        except Exception as bug:  # noqa: BLE001 - a bug is answered, and logged
            log.exception("Answering a request of %s failed", type(request).__name__)
            error = StatusError(Code.INTERNAL, repr(bug))
        return context.abort(_CODES[error.code], _shortened(error.message))

    return handle


def _timeout_ms(seconds: float | None) -> int:
    """Return how long a request may run: whole seconds, for every other limit is kept for ever."""
    if seconds is None or seconds > _LONGEST_TIMEOUT:
        return 0
    return max(math.ceil(seconds), 1) * 1000


def _shortened(message: str) -> str:
    encoded = message.encode("utf-8", "replace")
    if len(encoded) <= MAX_ERROR_BYTES:
        return message
    return encoded[:MAX_ERROR_BYTES].decode("utf-8", "ignore") + "...TRUNCATED"


def _credentials(ssl_config_file: str) -> Any:
    if not ssl_config_file:
        return None
    config = read_text_message(ssl_config_file, "SSLConfig")
    if config.client_verify and not config.custom_ca:
        raise invalid_argument(
            f"client_verify in '{ssl_config_file}' needs custom_ca: the certificates to verify clients by"
        )
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )
