"""Starts the server: ``tensorflow_model_server --model_name=digits --model_base_path=/models/digits``."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


def run() -> NoReturn:
    """Run the server with the arguments of this process, and end the process with it."""
    # In a container this process is number 1, which no signal ends unless it is handled; imports take a while
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))

    from packager.serving.native.library import preload

    preload()

    from packager.serving.server import main

    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # TensorFlow's threads need no farewell, and a version that is still loading is not waited for
    os._exit(code)


if __name__ == "__main__":
    run()
