"""Loads a SavedModel again and again by TensorFlow's C API alone: ``python load_versions.py FOLDER LOADS``.

Prints the kilobytes that the process holds more after each load, of memory of its own: first from one folder
again and again, then from a folder of another name each time, as versions are. TensorFlow counts loads by
folder for its metrics, and forgets none.
"""

from __future__ import annotations

import ctypes
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from packager.serving.native.library import c_api


def load_and_delete(folder: Path) -> None:
    api = c_api()
    status, graph, options = api.TF_NewStatus(), api.TF_NewGraph(), api.TF_NewSessionOptions()
    tags = (ctypes.c_char_p * 1)(b"serve")
    session = api.TF_LoadSessionFromSavedModel(
        options, None, str(folder).encode(), tags, 1, graph, None, status
    )
    if api.TF_GetCode(status):
        raise SystemExit(api.TF_Message(status).decode())
    api.TF_CloseSession(session, status)
    api.TF_DeleteSession(session, status)
    api.TF_DeleteGraph(graph)
    api.TF_DeleteSessionOptions(options)
    api.TF_DeleteStatus(status)


def own_kilobytes() -> int:
    ctypes.CDLL(None).malloc_trim(0)
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def growth(folders: Iterable[Path]) -> float:
    """Return the kilobytes kept of each load, once a quarter of them have settled what is kept for good."""
    paths = list(folders)
    settled, held = len(paths) // 4, 0
    for number, path in enumerate(paths):
        if number == settled:
            held = own_kilobytes()
        load_and_delete(path)
    return (own_kilobytes() - held) / (len(paths) - settled)


def main(folder: Path, loads: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        others = [Path(name) / str(number) for number in range(loads)]
        for other in others:
            other.symlink_to(folder)
        print(f"{growth([folder] * loads):.1f} {growth(others):.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]))
