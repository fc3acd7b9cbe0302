"""Calls a model in this process, with no server: ``python bench_calls.py VERSION_FOLDER SHAPE FLOATS_FILE``.

For each line ``CLIENTS SECONDS CALLS`` on stdin it has so many threads call the model for so long, or each so
often, from bytes to bytes, and prints the seconds that each call took as one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packager.serving.flags import parse
from packager.serving.native.dtypes import DType
from packager.serving.native.pace import Pace
from packager.serving.native.servable import LoadOptions, Servable
from packager.serving.native.session import Session
from packager.serving.native.session_config import session_config
from packager.serving.native.tensors import Tensor


def main(folder: str, shape_text: str, floats_file: str) -> None:
    options = LoadOptions(session_config=session_config(parse([])))
    servable = Servable.load("bench", 1, Path(folder), options)
    assert isinstance(servable.session, Session)
    servable.session.pace = Pace(bounded=False)  # runs as TensorFlow has them by default, however quick
    signature = servable.signatures["serving_default"]
    source, target = signature.inputs["x"].name, signature.outputs["y"].name
    shape, floats = json.loads(shape_text), Path(floats_file).read_bytes()

    def call() -> bytes:
        (y,) = servable.session.run([(source, Tensor.from_bytes(DType.FLOAT, shape, floats))], [target])
        return y.to_bytes()

    def call_until(deadline: float, calls: int) -> list[float]:
        seconds: list[float] = []
        began = time.perf_counter()
        while len(seconds) < calls if calls else began < deadline:
            call()
            ended = time.perf_counter()
            seconds.append(ended - began)
            began = ended
        return seconds

    call()
    print("ready", flush=True)
    for line in sys.stdin:
        clients, duration, times = line.split()
        with ThreadPoolExecutor(int(clients)) as pool:
            deadline = time.perf_counter() + float(duration)
            calls = [pool.submit(call_until, deadline, int(times)) for _ in range(int(clients))]
        print(json.dumps([round(s, 7) for done in calls for s in done.result()]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
