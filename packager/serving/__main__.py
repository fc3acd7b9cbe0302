"""Starts the server: ``tensorflow_model_server --model_name=digits --model_base_path=/models/digits``."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import NoReturn

from packager.serving.native.huge_pages import ask_for_huge_pages

_PR_SET_PDEATHSIG = 1


def run() -> NoReturn:
    """Run the server with the arguments of this process, and end the process with it."""
    # In a container this process is number 1, which no signal ends unless it is handled; imports take a while
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    ask_for_huge_pages()
    if parent := os.environ.get("PACKAGER_PARENT"):
        _end_with(int(parent))

    from packager.serving.native.library import preload

    preload()

    from packager.serving.server import main

    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # TensorFlow's threads need no farewell, and a version that is still loading is not waited for
    os._exit(code)


def _end_with(parent: int) -> None:
    """Have Linux end this process when its parent is killed, which can then not end it (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # which was killed before it could be seen to
        os._exit(0)


if __name__ == "__main__":
    run()
