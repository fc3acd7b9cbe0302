"""The REST API: turns a request into an answer. Knows no HTTP connection; may run in many threads."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format

from packager.serving.examples import classify, regress
from packager.serving.inference import DEFAULT_SIGNATURE, InferenceOptions, predict
from packager.serving.log import log
from packager.serving.models.catalog import Catalog, ModelSpec
from packager.serving.native.servable import Servable
from packager.serving.native.signatures import Signature
from packager.serving.rest import answers
from packager.serving.rest.examples_request import read_examples_request
from packager.serving.rest.predict_request import read_predict_request
from packager.serving.rest.requests import SMALL_BODY
from packager.serving.rest.routes import Route, VersionTooBigError, find_route, is_api_path
from packager.serving.rest.strings import to_bytes
from packager.serving.status import Code, StatusError, invalid_argument

MAX_INFLATED = 100 * 1024 * 1024
"""The most bytes that a compressed body may inflate to."""

HTTP_STATUS = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.FAILED_PRECONDITION: 400,
    Code.OUT_OF_RANGE: 400,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.ABORTED: 409,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.DEADLINE_EXCEEDED: 504,
}
"""The HTTP status of each code; of a code that is missing, 500."""

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html"}
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}


@dataclass(slots=True, kw_only=True)  # frozen it would take ten times as long to make, and so would an answer
class Request:
    """An HTTP request, complete."""

    method: str
    path: str
    """The target as it was sent, with the query."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By names in lower case."""
    body: bytes = b""
    arrived: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    code: Code = Code.OK


def html_error(status: int, reason: str) -> Answer:
    """Return the page that libevent, under TensorFlow Serving, sends for what is not of the API."""
    page = (
        f"<HTML><HEAD>\n<TITLE>{status} {reason}</TITLE>\n</HEAD><BODY>\n<H1>{reason}</H1>\n</BODY></HTML>\n"
    )
    return Answer(status, {**HTML, "Connection": "close"}, page.encode())


class RestApi:
    """Answers requests about the models of a catalog."""

    def __init__(self, catalog: Catalog, options: InferenceOptions, *, cors: bool = False) -> None:
        self._catalog = catalog
        self._options = options
        self._cors = CORS if cors else {}
        self._headers = JSON | self._cors

    def answer(self, request: Request) -> Answer:
        """Answer a request, whatever it is."""
        if not is_api_path(request.path):
            return html_error(404, "Not Found")
        if request.method == "OPTIONS":
            return self._preflight(request)
        headers = self._headers
        try:
            return Answer(200, headers, self._process(request))
        except VersionTooBigError:
            return Answer(400, headers, code=Code.INVALID_ARGUMENT)
        except StatusError as failure:
            status = HTTP_STATUS.get(failure.code, 500)
            return Answer(status, headers, answers.error(failure), failure.code)
        except Exception as bug:  # noqa: BLE001 - a bug is answered, and logged
            log.exception("Answering %s %s failed", request.method, request.path)
            error = StatusError(Code.INTERNAL, repr(bug))
            return Answer(500, headers, answers.error(error), error.code)

    def is_quick(self, request: Request) -> bool:
        """Tell whether a request is a small one to a quick model, and so answered at once."""
        if len(request.body) > SMALL_BODY or "content-encoding" in request.headers:
            return False
        try:
            route = find_route(request.method, request.path)
            if route is None or route.verb != "predict":
                return False
        except VersionTooBigError:
            return False
        return self._catalog.is_quick(route.model)

    def _preflight(self, request: Request) -> Answer:
        origin = request.headers.get("origin", "")
        allowed = "http://" in origin or "https://" in origin
        headers = {"Content-Type": "text/html; charset=ISO-8859-1"}
        return Answer(200 if allowed else 400, headers | self._cors)

    def _process(self, request: Request) -> bytes:
        route = find_route(request.method, request.path)
        if route is None:
            raise invalid_argument(f"Malformed request: {request.method} {request.path}")
        match route.verb:
            case "predict":
                return self._predict(route.model, request)
            case "classify" | "regress":
                return self._ask_examples(route, request)
            case _ if not route.model.name:
                raise invalid_argument("Missing model name in request.")
            case "metadata":
                return self._metadata(route.model)
            case _:
                return self._status(route.model)

    def _predict(self, model: ModelSpec, request: Request) -> bytes:
        with _Asked(self._catalog, model) as servable:
            asked = read_predict_request(_plain_body(request), servable.signature)
            self._check_time(request)
            outputs = predict(servable.found(), asked.signature, asked.inputs, self._options)
        return answers.predictions(outputs) if asked.in_rows else answers.outputs_object(outputs)

    def _ask_examples(self, route: Route, request: Request) -> bytes:
        asked = read_examples_request(_plain_body(request))
        self._check_time(request)
        with self._catalog.use(route.model) as servable:
            if route.verb == "classify":
                classes = classify(servable, asked.signature_name, asked.examples, self._options)
                return answers.classifications(classes)
            return answers.regressions(regress(servable, asked.signature_name, asked.examples, self._options))

    def _metadata(self, model: ModelSpec) -> bytes:
        with self._catalog.use(model) as servable:
            spec = {"name": servable.name, "version": str(servable.version), "signature_name": ""}
            signatures = {key: _as_json(found.definition) for key, found in servable.signatures.items()}
        metadata = f'{{"signature_def": {answers.message({"signature_def": signatures})}}}'
        return to_bytes(f'{{\n"model_spec":{answers.message(spec)},\n"metadata": {metadata}\n}}\n')

    def _status(self, model: ModelSpec) -> bytes:
        statuses = [
            {
                "version": str(status.version),
                "state": status.state.name,
                "status": {
                    "error_code": status.error.code.name if status.error else "OK",
                    "error_message": status.error.message if status.error else "",
                },
            }
            for status in self._catalog.statuses(model.name, model.version)
        ]
        return to_bytes(answers.message({"model_version_status": statuses}))

    def _check_time(self, request: Request) -> None:
        """Give up on a request whose time was up before its turn came."""
        limit = self._options.timeout_ms / 1000
        if limit and time.monotonic() - request.arrived > limit:
            raise StatusError(Code.DEADLINE_EXCEEDED, "Timed out waiting for notification")


class _Asked:
    """The servable that a request is for: found when it is asked for, then kept until the end of a ``with``.

    That is after the body is read. The signature and the graph are those of one version.
    """

    __slots__ = ("_catalog", "_found", "_spec")

    def __init__(self, catalog: Catalog, spec: ModelSpec) -> None:
        self._catalog = catalog
        self._spec = spec
        self._found: Servable | None = None

    def found(self) -> Servable:
        """Return the servable, or raise StatusError."""
        if self._found is None:
            self._found = self._catalog.use(self._spec)
        return self._found

    def signature(self, key: str) -> Signature:
        """Return a signature of the servable, or raise StatusError."""
        key = key or DEFAULT_SIGNATURE
        if found := self.found().signatures.get(key):
            return found
        raise invalid_argument(f'Serving signature name: "{key}" not found in signature def')

    def __enter__(self) -> _Asked:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._found:
            self._found.__exit__(*exception)


def _as_json(definition: Any) -> Any:
    told = json_format.MessageToDict(
        definition, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return _in_order(told, definition.DESCRIPTOR)


def _in_order(told: Any, kind: Any) -> Any:
    """Put the fields of a message in the order of their numbers, as protobuf's printer in C++ does."""
    if isinstance(told, list):
        return [_in_order(one, kind) for one in told]
    if kind is None or not isinstance(told, dict):
        return told
    if kind.GetOptions().map_entry:
        of_values = kind.fields_by_name["value"].message_type
        return {key: _in_order(value, of_values) for key, value in told.items()}
    fields = sorted(kind.fields, key=lambda field: field.number)
    return {f.name: _in_order(told[f.name], f.message_type) for f in fields if f.name in told}


def _plain_body(request: Request) -> bytes:
    """Return the body inflated if it is compressed, empty if it cannot be."""
    if "gzip" not in request.headers.get("content-encoding", ""):
        return request.body
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        body = inflater.decompress(request.body, MAX_INFLATED)
    except zlib.error:
        return b""
    return body if inflater.eof else b""
