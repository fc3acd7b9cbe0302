"""gRPC's own health protocol: whether the server as a whole serves, once or as a stream of changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from packager.protocol import message
from packager.protocol.services import HEALTH
from packager.serving.status import not_found

Send = Callable[[Any], None]
"""Sends a message on a stream; ``None`` ends the stream."""


class HealthService:
    """Whether the server serves. It knows of no part by itself."""

    def __init__(self) -> None:
        self._changed = threading.Lock()
        self._watching: set[Send] = set()
        self._serving = True

    def Check(self, request: Any, timeout_ms: int) -> Any:  # noqa: N802, ARG002
        """Tell it once."""
        if request.service:
            raise not_found("service name unknown")
        return self._answer()

    def watch(self, serialised: bytes, context: grpc.ServicerContext, send_response_callback: Send) -> None:
        """Tell it now and when it changes. The stream is kept open without a thread of its own."""
        response = message("HealthCheckResponse")
        try:
            request = message("HealthCheckRequest").FromString(serialised)
        except DecodeError:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "could not parse request")
        with self._changed:
            send_response_callback(
                response(status=response.SERVICE_UNKNOWN) if request.service else self._answer()
            )
            if context.add_callback(lambda: self._watching.discard(send_response_callback)):
                self._watching.add(send_response_callback)

    def end(self) -> None:
        """Tell those who watch that the server ends, and end their streams."""
        with self._changed:
            self._serving = False
            watching, self._watching = self._watching, set()
        for send in watching:
            send(self._answer())
            send(None)

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return what takes requests to watch."""

        def behavior(*arguments: Any, **named: Any) -> None:
            self.watch(*arguments, **named)

        # As grpcio-health-checking does it, for which grpcio has this attribute
        behavior.experimental_non_blocking = True  # type: ignore[attr-defined]
        watch = grpc.unary_stream_rpc_method_handler(
            behavior,
            response_serializer=message("HealthCheckResponse").SerializeToString,
        )
        return grpc.method_handlers_generic_handler(HEALTH, {"Watch": watch})

    def _answer(self) -> Any:
        response = message("HealthCheckResponse")
        return response(status=response.SERVING if self._serving else response.NOT_SERVING)
