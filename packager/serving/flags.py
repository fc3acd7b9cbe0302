"""The flags of ``tensorflow_model_server``: a table, and a parser that takes ``--name=value`` only.

The parser behaves as TensorFlow's ``command_line_flags.cc``: a boolean flag without a value is true, the
last of several values counts, and an argument that is no flag is left over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Value = bool | int | float | str

_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)


class FlagValueError(ValueError):
    """A flag has a value that it cannot take."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag: its type is that of its default."""

    name: str
    default: Value
    help: str
    bits: int = 32
    """Size of an integer."""
    heeded: bool = True
    """Whether this server does anything with it."""

    def read(self, text: str) -> Value:
        """Read a value, or raise FlagValueError."""
        value = self._read(text)
        if value is None:
            raise FlagValueError(f"Couldn't interpret value {text} for flag {self.name}.")
        return value

    def _read(self, text: str) -> Value | None:
        if isinstance(self.default, bool):
            return {"": True, "true": True, "1": True, "false": False, "0": False}.get(text.lower())
        if isinstance(self.default, int):
            value = int(text) if re.fullmatch(r"[+-]?[0-9]{1,20}", text) else None
            return value if value is not None and value in (_INT32 if self.bits == 32 else _INT64) else None
        if isinstance(self.default, float):
            return float(text) if re.fullmatch(r"[+-]?[0-9]*\.?[0-9]+(e[+-]?[0-9]+)?", text) else None
        return text

    @property
    def type_name(self) -> str:
        """The name of the type in the usage text."""
        if isinstance(self.default, bool):
            return "bool"
        if isinstance(self.default, int):
            return f"int{self.bits}"
        return "float" if isinstance(self.default, float) else "string"


FLAGS = (
    Flag("port", 8500, "TCP port for the gRPC API; 0 is none"),
    Flag("grpc_address", "0.0.0.0", "address for the gRPC API (not a flag of upstream)"),
    Flag("grpc_socket_path", "", "path of a UNIX socket for the gRPC API"),
    Flag("rest_api_port", 0, "TCP port for the REST API, another than --port; 0 is none"),
    Flag("rest_api_address", "", "address for the REST API; empty is all addresses (not a flag of upstream)"),
    Flag("rest_api_num_threads", 4 * (os.cpu_count() or 1), "threads that answer REST requests"),
    Flag("rest_api_timeout_in_ms", 30_000, "time limit of a REST request"),
    Flag("rest_api_enable_cors_support", False, "allow REST requests from any origin"),
    Flag("ui", False, "show a page at / that tells of the models and asks them (not a flag of upstream)"),
    Flag("model_name", "default", "name of the model, unless --model_config_file is given"),
    Flag("model_base_path", "", "folder of the model's version folders, unless --model_config_file is given"),
    Flag("model_config_file", "", "file with a ModelServerConfig as protobuf text: the models to serve"),
    Flag("model_config_file_poll_wait_seconds", 0, "seconds between looks at --model_config_file; 0 is once"),
    Flag(
        "allow_version_labels_for_unavailable_models",
        False,
        "let labels that are not in use be given to versions that are not available yet",
    ),
    Flag("num_load_threads", 0, "threads that load versions; 0 is one for each CPU"),
    Flag("num_unload_threads", 0, "threads that unload versions", heeded=False),
    Flag("max_num_load_retries", 5, "how often to try again to load a version that failed"),
    Flag("load_retry_interval_micros", 60_000_000, "time between two tries to load a version", bits=64),
    Flag(
        "file_system_poll_wait_seconds", 1, "seconds between looks for new versions; 0 is once, less is never"
    ),
    Flag("flush_filesystem_caches", True, "drop file caches after loading", heeded=False),
    Flag("saved_model_tags", "serve", "comma-separated tags of the graph to load from a SavedModel"),
    Flag(
        "enable_model_warmup",
        True,
        "replay the recorded requests of a version when it is loaded",
    ),
    Flag("num_request_iterations_for_warmup", 0, "how often to replay each of them; 0 is once"),
    Flag(
        "enable_signature_method_name_check",
        False,
        "make classify and regress check a signature's method_name",
    ),
    Flag("enable_batching", False, "run requests in batches"),
    Flag("batching_parameters_file", "", "file with BatchingParameters as protobuf text"),
    Flag(
        "enable_per_model_batching_parameters",
        False,
        "batch models that have a batching_params.pbtxt, by it",
    ),
    Flag("monitoring_config_file", "", "file with a MonitoringConfig as protobuf text"),
    Flag("ssl_config_file", "", "file with an SSLConfig as protobuf text, for the gRPC API"),
    Flag("use_alts_credentials", False, "use Google ALTS credentials"),
    Flag("grpc_channel_arguments", "", "comma-separated arguments of the gRPC server, name=value"),
    Flag("grpc_max_threads", 4 * (os.cpu_count() or 1), "threads that answer gRPC requests"),
    Flag("enable_grpc_healthcheck_service", False, "serve the standard gRPC health service"),
    Flag(
        "enable_grpc_reflection",
        True,
        "tell tools what the gRPC services are (not a flag of upstream)",
    ),
    Flag("enable_profiler", True, "serve the profiler service"),
    Flag("enable_serialization_as_tensor_content", False, "answer gRPC predictions with tensor_content"),
    Flag("tensorflow_session_parallelism", 0, "threads of a session; 0 is chosen by TensorFlow", bits=64),
    Flag(
        "tensorflow_intra_op_parallelism",
        0,
        "threads inside an operation; 0 is chosen by TensorFlow",
        bits=64,
    ),
    Flag("tensorflow_inter_op_parallelism", 0, "operations at a time; 0 is chosen by TensorFlow", bits=64),
    Flag("tensorflow_session_config_file", "", "file with a ConfigProto as protobuf text"),
    Flag("platform_config_file", "", "file with a PlatformConfigMap as protobuf text, over flags on loading"),
    Flag("per_process_gpu_memory_fraction", 0.0, "share of the GPU's memory to take"),
    Flag("remove_unused_fields_from_bundle_metagraph", True, "drop what serving does not need", heeded=False),
    Flag("prefer_tflite_model", False, "serve model.tflite where there is one"),
    Flag("num_tflite_pools", os.cpu_count() or 1, "pools of TensorFlow Lite interpreters"),
    Flag("num_tflite_interpreters_per_pool", 1, "interpreters in each of them"),
    Flag(
        "xla_cpu_compilation_enabled",
        False,
        "let graphs be compiled for the CPU by XLA; here they always are",
    ),
    Flag(
        "xla_gpu_compilation_enabled",
        False,
        "let graphs be compiled for the GPU by XLA; here they always are",
    ),
    Flag("thread_pool_factory_config_file", "", "file with a ThreadPoolConfig", heeded=False),
    Flag("mixed_precision", "", "mixed precision mode: bfloat16"),
    Flag("skip_initialize_tpu", False, "do not initialise a TPU", heeded=False),
    Flag("version", False, "print the version and leave"),
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """Arguments after parsing: the values of all flags, and the arguments that are none."""

    values: Mapping[str, Value]
    unknown: tuple[str, ...] = ()
    given: frozenset[str] = frozenset()

    def flag(self, name: str) -> bool:
        """Return the value of a boolean flag."""
        return bool(self.values[name])

    def number(self, name: str) -> int:
        """Return the value of an integer flag."""
        return int(self.values[name])

    def text(self, name: str) -> str:
        """Return the value of a string flag."""
        return str(self.values[name])


def parse(arguments: Sequence[str], flags: Iterable[Flag] = FLAGS) -> Parsed:
    """Parse arguments, or raise FlagValueError."""
    by_name = {flag.name: flag for flag in flags}
    given: dict[str, Value] = {}
    unknown: list[str] = []
    for index, argument in enumerate(arguments):
        if argument == "--":
            unknown += arguments[index:]
            break
        name, has_value, text = argument.removeprefix("--").partition("=")
        flag = by_name.get(name) if argument.startswith("--") else None
        if flag is None or not (has_value or isinstance(flag.default, bool)):
            unknown.append(argument)
        else:
            given[name] = flag.read(text)
    defaults = {flag.name: flag.default for flag in by_name.values()}
    return Parsed(defaults | given, tuple(unknown), frozenset(given))


def usage(program: str, flags: Iterable[Flag] = FLAGS) -> str:
    """Return the text that explains all flags."""
    lines = [f"usage: {program}", "Flags:"]
    for flag in flags:
        default = f"--{flag.name}={_shown(flag.default)}"
        note = "" if flag.heeded else " (accepted, has no effect here)"
        lines.append(f"\t{default:<33}\t{flag.type_name}\t{flag.help}{note}")
    return "\n".join(lines) + "\n"


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
