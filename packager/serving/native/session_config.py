"""The configuration of TensorFlow sessions that the flags ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import text_format

from packager.serving.flags import Parsed
from packager.serving.log import log
from packager.serving.native.generated import generated
from packager.serving.status import invalid_argument, not_found

_INTRA = "tensorflow_intra_op_parallelism"
_INTER = "tensorflow_inter_op_parallelism"
_SESSION = "tensorflow_session_parallelism"


def session_config(flags: Parsed) -> bytes:
    """Return a serialised ConfigProto, empty where all is left to TensorFlow; or raise StatusError."""
    intra, inter, both = (max(flags.number(name), 0) for name in (_INTRA, _INTER, _SESSION))
    path = flags.text("tensorflow_session_config_file")
    if intra and inter and both:
        raise invalid_argument(
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, "
            "server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all."
        )
    share, precision = flags.values["per_process_gpu_memory_fraction"], flags.text("mixed_precision")
    if not (intra or inter or both or path or share or precision):
        return b""
    config = generated("core.protobuf.config_pb2").ConfigProto()
    if path:
        try:
            text_format.Parse(Path(path).read_bytes(), config)
        except OSError as error:
            raise not_found(f"{path}; {error.strerror}") from error
        except text_format.ParseError as error:
            raise invalid_argument(f"Invalid protobuf file: '{path}'") from error
    config.intra_op_parallelism_threads = intra or both or config.intra_op_parallelism_threads
    config.inter_op_parallelism_threads = inter or both or config.inter_op_parallelism_threads
    if share:
        config.gpu_options.per_process_gpu_memory_fraction = share
    if precision:
        _mix_precision(config, precision)
    return config.SerializeToString()  # type: ignore[no-any-return]


def _mix_precision(config: Any, mode: str) -> None:
    """Have graphs computed in bfloat16 where that does not hurt; other modes are none."""
    if mode != "bfloat16":
        log.warning("config_.mixed_precision() = %s can't be recognized. Hence, ignoring it.", mode)
        return
    rewrites = config.graph_options.rewrite_options
    rewrites.auto_mixed_precision_onednn_bfloat16 = rewrites.ON
