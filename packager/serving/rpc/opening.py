"""Opens the gRPC API as the flags want it."""

from __future__ import annotations

from packager.protocol.services import HEALTH, MODEL, PREDICTION, PROFILER
from packager.serving.flags import Parsed
from packager.serving.inference import InferenceOptions
from packager.serving.models.catalog import Catalog
from packager.serving.rpc.administration import ModelService, ProfilerService
from packager.serving.rpc.health import HealthService
from packager.serving.rpc.measuring import Measured
from packager.serving.rpc.prediction import PredictionService
from packager.serving.rpc.reflection import reflection
from packager.serving.rpc.server import GrpcOptions, GrpcServer


def open_grpc(flags: Parsed, catalog: Catalog, options: InferenceOptions) -> GrpcServer:
    """Serve the models of a catalog from now on, or raise StatusError."""
    prediction = PredictionService(
        catalog=catalog,
        options=options,
        as_content=flags.flag("enable_serialization_as_tensor_content"),
    )
    services: dict[str, object] = {
        PREDICTION: Measured(prediction, options.metrics) if options.metrics else prediction,
        MODEL: ModelService(catalog=catalog),
    }
    profiler = ProfilerService() if flags.flag("enable_profiler") else None
    if profiler:
        services[PROFILER] = profiler
    health = HealthService() if flags.flag("enable_grpc_healthcheck_service") else None
    if health:
        services[HEALTH] = health
    ends = [service.end for service in (profiler, health) if service]
    threads = max(flags.number("grpc_max_threads"), 1)
    handlers = [health.handlers()] if health else []
    if flags.flag("enable_grpc_reflection"):
        handlers += reflection(list(services), streams=max(threads // 4, 1))
    return GrpcServer(
        services,
        GrpcOptions(
            port=flags.number("port"),
            address=flags.text("grpc_address"),
            socket_path=flags.text("grpc_socket_path"),
            ssl_config_file=flags.text("ssl_config_file"),
            alts=flags.flag("use_alts_credentials"),
            channel_arguments=flags.text("grpc_channel_arguments"),
            threads=threads,
        ),
        handlers=handlers,
        before_end=lambda: [end() for end in ends],
    )
