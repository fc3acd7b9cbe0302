"""How our images run: what is set over the base, the same on every base and by every way of building.

``Dockerfile.serving`` says the same in Docker's words; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MODEL_BASE_PATH = "/models"
PORTS = (8500, 8501)
"""gRPC and REST, as on TensorFlow Serving's own image."""

USER = "65532:65532"
"""Numeric, so that Kubernetes can see that it is not root (``runAsNonRoot``)."""

FLAGS = "TENSORFLOW_SERVING_FLAGS"
"""Variable with flags of the server, separated by spaces: over the image's own, under the arguments."""

IMAGE_FLAGS = "TENSORFLOW_SERVING_IMAGE_FLAGS"
"""Variable with the flags that belong to the image's content: where its config files are."""

SERVE = (
    "trap 'kill -TERM $!; wait $!; exit $?' TERM INT; set -f; "
    "tensorflow_model_server --port=8500 --rest_api_port=8501 --max_num_load_retries=0"
    ' --model_name="$MODEL_NAME" --model_base_path="$MODEL_BASE_PATH/$MODEL_NAME"'
    f' ${IMAGE_FLAGS} ${FLAGS} "$@" & wait $!'
)
"""The shell's script: the server, and a first process that passes SIGTERM on and ends as the server does.

TensorFlow Serving's binary sets no handler for SIGTERM (github.com/tensorflow/serving/issues/1853), and
the kernel drops a signal that the first process of a container has no handler for. So ``exec`` would
not do: the shell stays, as the first process, and the server is one that SIGTERM ends. Of a flag that
comes twice the last counts. A model that cannot be loaded once cannot be loaded five minutes later.
"""

ENTRYPOINT = ("/bin/sh", "-c", SERVE, "serve")

HEALTH = (
    "set -f; port=8501 names=($MODEL_NAME); "
    """listed() { local text=$(<"$1") named=$'[^_a-z]name:[ \\t]*["\\']([^"\\']+)'; names=(); """
    """while [[ " $text" =~ $named ]]; do names+=("${BASH_REMATCH[1]}"); """
    """text=${text#*"${BASH_REMATCH[0]:1}"}; done; }; """
    "heed() { case $1 in --rest_api_port=*) port=${1#*=};; --model_name=*) names=(${1#*=});; "
    "--model_config_file=*) file=${1#*=};; esac; }; "
    f'for flag in ${IMAGE_FLAGS} ${FLAGS}; do heed "$flag"; done; '
    'while IFS= read -r -d "" flag; do heed "$flag"; done </proc/1/cmdline; '
    '[[ -z $file ]] || listed "$file"; '
    'for name in "${names[@]}"; do exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1; '
    r'printf "GET /v1/models/%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" "$name" >&3; '
    """IFS= read -r -d "" -t 4 answer <&3; [[ $answer == *'"AVAILABLE"'* ]] || exit 1; done"""
)
"""Bash's script: whether the server says that a version of each model is available.

TensorFlow Serving's image has bash, and no curl. The first process tells which flags were given, and a
ModelServerConfig file which models there are.
"""

HEALTHCHECK = ("/bin/bash", "-c", HEALTH)

STOP_SIGNAL = "SIGTERM"

_SECOND = 1_000_000_000


def serving_settings(model: str, flags: Sequence[str], labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of an OCI image config that serves ``model``, or what ``flags`` tell of."""
    return {
        "Env": [
            f"MODEL_NAME={model}",
            f"MODEL_BASE_PATH={MODEL_BASE_PATH}",
            f"{IMAGE_FLAGS}={' '.join(flags)}",
        ],
        "ExposedPorts": {f"{port}/tcp": {} for port in PORTS},
        "User": USER,
        "Entrypoint": list(ENTRYPOINT),
        "StopSignal": STOP_SIGNAL,
        "Healthcheck": {
            "Test": ["CMD", *HEALTHCHECK],
            "Interval": 5 * _SECOND,
            "Timeout": 5 * _SECOND,
            "StartPeriod": 120 * _SECOND,
            "Retries": 3,
        },
        "Cmd": None,  # the base's arguments were for the base's entry point
        "Labels": dict(labels),
    }
