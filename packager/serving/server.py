"""The server process: puts the parts together from the flags, and lives until it is told to end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from packager.serving.flags import FLAGS, FlagValueError, Parsed, parse, usage
from packager.serving.inference import InferenceOptions
from packager.serving.loading import loader
from packager.serving.log import log, log_to_stderr
from packager.serving.metrics import Metrics
from packager.serving.models.catalog import Catalog
from packager.serving.models.config import ModelConfig, check_models, read_metrics_path, read_model_config
from packager.serving.models.keeper import Keeper
from packager.serving.native.library import c_api
from packager.serving.native.residency import give_back_pages, keep_freed_memory
from packager.serving.platform import platform_of
from packager.serving.rest.api import RestApi
from packager.serving.rest.http import HttpServer, Respond
from packager.serving.rest.measuring import measured
from packager.serving.sockets import bind
from packager.serving.status import Code, StatusError, invalid_argument
from packager.serving.ui.page import with_page

if TYPE_CHECKING:
    from packager.serving.rpc.server import GrpcServer

CANNOT_START = 255
DRAIN_SECONDS = 30.0
"""How long requests under way may take once the server is told to end."""

_GARBAGE_THRESHOLD = 50_000
"""Objects between two looks for cycles of garbage: there are few, and a large request is many lists."""

_ONE_THREAD_READS = "-event_engine_listener"
"""Has gRPC's thread that waits for requests read from the sockets too.

By its newer way threads hand each other what has come: a small request takes 40 µs more, a large one 150 µs.
"""

_PROGRAM = "tensorflow_model_server"


def main(arguments: Sequence[str]) -> int:
    """Run the server and return its exit code: 0 when it was told to end, 255 when it cannot start."""
    try:
        flags = parse(arguments)
    except FlagValueError as error:
        log_to_stderr()
        log.error("%s", error)
        print(usage(_PROGRAM), end="", flush=True)
        return CANNOT_START
    if flags.unknown[:1] == ("--help",):
        print(usage(_PROGRAM), end="", flush=True)
        return CANNOT_START
    if flags.flag("version"):
        print(_version_text(), end="", flush=True)
        return 0
    if flags.unknown:
        print(f"unknown argument: {flags.unknown[0]}\n{usage(_PROGRAM)}", end="", flush=True)
    log_to_stderr()
    _warn_of_unheeded(flags)
    keep_freed_memory()
    try:
        return _run(_Server(flags))
    except StatusError as error:
        print(f"Failed to start server. Error: {error}", flush=True)
        return CANNOT_START


class _Server:
    """All parts of the server, made from its flags. Making it loads nothing yet."""

    def __init__(self, flags: Parsed) -> None:
        self._flags = flags
        self._models = _configured_models(flags)
        check_models(self._models or ())
        monitoring = flags.text("monitoring_config_file")
        self._metrics_path = read_metrics_path(monitoring) if monitoring else None
        metrics = Metrics() if self._metrics_path else None
        self._rest_socket = _bind_rest(flags)
        keeper = Keeper(
            loader(platform_of(flags), metrics),
            threads=flags.number("num_load_threads") or os.cpu_count() or 1,
            retries=flags.number("max_num_load_retries"),
            retry_seconds=flags.number("load_retry_interval_micros") / 1e6,
        )
        self._catalog = Catalog(
            keeper,
            poll_seconds=flags.number("file_system_poll_wait_seconds"),
            labels_need_available=not flags.flag("allow_version_labels_for_unavailable_models"),
        )

        self._options = InferenceOptions(
            check_method_names=flags.flag("enable_signature_method_name_check"),
            metrics=metrics,
        )

    async def run(self) -> int:
        """Load the models, open the ports, and serve until a signal ends it."""
        told_to_end = asyncio.ensure_future(_signalled())
        loading = _in_thread(self._load)
        events: list[asyncio.Future[Any]] = [loading, told_to_end]
        await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
        if told_to_end.done():
            return 0
        loading.result()
        gc.set_threshold(_GARBAGE_THRESHOLD)  # starting leaves many cycles, to be found as ever
        grpc = self._open_grpc()
        rest = await self._open_rest()
        give_back_pages()
        self._watch_config()
        log.info("Received %s, shutting down", (await told_to_end).name)
        self._catalog.close()
        answered = grpc.drain(DRAIN_SECONDS) if grpc else None
        if rest:
            await rest.drain(DRAIN_SECONDS)
        if answered:
            await _in_thread(answered.wait)
        return 0

    def _load(self) -> None:
        c_api()  # a library that is missing is no model's failure, to be tried again
        self._catalog.reload(self._models)

    def _open_grpc(self) -> GrpcServer | None:
        if not (self._flags.number("port") or self._flags.text("grpc_socket_path")):
            return None
        # gRPC looks at this while it is imported
        os.environ.setdefault("GRPC_EXPERIMENTS", _ONE_THREAD_READS)
        from packager.serving.rpc.opening import open_grpc  # costs time and memory that REST need not spend

        return open_grpc(self._flags, self._catalog, self._options)

    async def _open_rest(self) -> HttpServer | None:
        if self._rest_socket is None:
            return None
        options = replace(self._options, timeout_ms=max(self._flags.number("rest_api_timeout_in_ms"), 0))
        api = RestApi(self._catalog, options, cors=self._flags.flag("rest_api_enable_cors_support"))
        respond: Respond = api.answer
        if self._metrics_path and options.metrics:
            respond = measured(respond, options.metrics, self._metrics_path)
        if self._flags.flag("ui"):
            respond = with_page(respond, self._catalog)
        threads = max(self._flags.number("rest_api_num_threads"), 1)
        server = HttpServer(respond, threads=threads, is_quick=api.is_quick)
        await server.start(self._rest_socket)
        log.info("Exporting HTTP/REST API at:%s ...", _rest_address(self._flags))
        log.info("NET_LOG: Entering the event loop ...")
        return server

    def _watch_config(self) -> None:
        path = self._flags.text("model_config_file")
        seconds = self._flags.number("model_config_file_poll_wait_seconds")
        if path and seconds > 0:
            _in_thread(lambda: _reload_for_ever(path, seconds, self._catalog))


def _run(server: _Server) -> int:
    try:
        from uvloop import new_event_loop
    except ImportError:
        from asyncio import new_event_loop
    loop: asyncio.AbstractEventLoop = new_event_loop()
    asyncio.set_event_loop(loop)
    return loop.run_until_complete(server.run())


async def _signalled() -> signal.Signals:
    """Wait for SIGTERM or SIGINT, and return which it was. A second one ends the process at once."""
    loop = asyncio.get_running_loop()
    received: asyncio.Future[signal.Signals] = loop.create_future()

    def receive(number: signal.Signals) -> None:
        if received.done():
            os._exit(128 + number)
        received.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, receive, number)
    return await received


def _in_thread(work: Callable[[], object]) -> asyncio.Future[None]:
    """Run ``work`` in a thread that the end of the process does not wait for."""
    result: Future[None] = Future()

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            result.set_exception(error)
        else:
            result.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    return asyncio.wrap_future(result)


def _reload_for_ever(path: str, seconds: int, catalog: Catalog) -> None:
    """Read the model config file again and again, and have the server serve what is in it.

    It goes over what was changed by gRPC in between.
    """
    while True:
        time.sleep(seconds)
        try:
            read = read_model_config(path)
        except StatusError as error:
            log.error("Failed to read ModelServerConfig file: %s", error.message)
            continue
        if not catalog.has(read):  # which is waited for elsewhere: the file may be put right meanwhile
            threading.Thread(target=_reload, args=(read, catalog), daemon=True).start()


def _reload(models: tuple[ModelConfig, ...] | None, catalog: Catalog) -> None:
    try:
        catalog.reload(models)
    except StatusError as error:
        log.error("PollFilesystemAndReloadConfig failed to ReloadConfig: %s", error.message)


def _configured_models(flags: Parsed) -> tuple[ModelConfig, ...] | None:
    if path := flags.text("model_config_file"):
        return read_model_config(path)
    name, base_path = flags.text("model_name"), flags.text("model_base_path")
    if not base_path:
        raise invalid_argument(
            "Both server_options.model_base_path and server_options.model_config_file are empty!"
        )
    log.info(
        "Building single TensorFlow model file config:  model_name: %s model_base_path: %s", name, base_path
    )
    return (ModelConfig(name=name, base_path=base_path),)


def _bind_rest(flags: Parsed) -> socket.socket | None:
    port = flags.number("rest_api_port")
    if port == 0:
        return None
    if port == flags.number("port"):
        log.error(
            "server_options.http_port cannot be same as grpc_port. Please use a different port for "
            "HTTP/REST API. Skipped exporting HTTP/REST API."
        )
        return None
    try:
        return bind(flags.text("rest_api_address"), port)
    except (OSError, OverflowError) as error:
        log.error("Failed to start HTTP Server at %s: %s", _rest_address(flags), error)
        raise StatusError(Code.UNAVAILABLE, f"cannot listen on {_rest_address(flags)}: {error}") from error


def _rest_address(flags: Parsed) -> str:
    return f"{flags.text('rest_api_address') or 'localhost'}:{flags.number('rest_api_port')}"


def _warn_of_unheeded(flags: Parsed) -> None:
    for flag in FLAGS:
        if not flag.heeded and flags.values[flag.name] != flag.default:
            log.warning("--%s has no effect in this server", flag.name)


def _version_text() -> str:
    from importlib import metadata  # takes as long as half of the other imports

    try:
        version = metadata.version("tfserving-packager")
    except metadata.PackageNotFoundError:
        version = "of the image"
    return (
        f"TensorFlow ModelServer: packager {version}\nTensorFlow Library: {c_api().TF_Version().decode()}\n"
    )
