"""How our images run: what is set over the base, the same on every base and by every way of building.

``Dockerfile.serving`` says the same in Docker's words; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MODEL_BASE_PATH = "/models"
PORTS = (8500, 8501)
"""gRPC and REST, as on TensorFlow Serving's own image."""

USER = "65532:65532"
"""Numeric, so that Kubernetes can see that it is not root (``runAsNonRoot``)."""

SERVE = (
    "trap 'kill -TERM $!; wait $!; exit $?' TERM INT; "
    "tensorflow_model_server --port=8500 --rest_api_port=8501"
    ' --model_name="$MODEL_NAME" --model_base_path="$MODEL_BASE_PATH/$MODEL_NAME" "$@" & wait $!'
)
"""The shell's script: the server, and a first process that passes SIGTERM on and ends as the server does.

TensorFlow Serving's binary sets no handler for SIGTERM (github.com/tensorflow/serving/issues/1853), and
the kernel drops a signal that the first process of a container has no handler for. So ``exec`` would
not do: the shell stays, as the first process, and the server is one that SIGTERM ends.
"""

ENTRYPOINT = ("/bin/sh", "-c", SERVE, "serve")


def serving_settings(model: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of an OCI image config that serves ``model``."""
    return {
        "Env": [f"MODEL_NAME={model}", f"MODEL_BASE_PATH={MODEL_BASE_PATH}"],
        "ExposedPorts": {f"{port}/tcp": {} for port in PORTS},
        "User": USER,
        "Entrypoint": list(ENTRYPOINT),
        "Cmd": None,  # the base's arguments were for the base's entry point
        "Labels": dict(labels),
    }
