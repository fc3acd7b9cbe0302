"""Why a smoke test fails: each cause made real, the phase that finds it, and what packager says.

``README.md`` shows these rows; ``test_smoke_causes.py`` makes each of them happen.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from small_models import export

from packager.contract import Sample, read_contract, write_contract
from packager.errors import (
    BudgetError,
    EngineUnavailableError,
    ImageNotFoundError,
    LeftoverError,
    MissingOpError,
    NotANumberError,
    NotReadyError,
    OtherSignatureError,
    OutOfMemoryError,
    PackagerError,
    PortTakenError,
    RequestError,
    ServableLoadError,
    ServerStartError,
    WrongAnswerError,
)
from packager.smoketest import Timeline
from packager.values import Budget

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One cause of failure. ``make`` is how it is made: what spoils a version folder, or a shell script."""

    name: str
    make: Callable[[Path], None] | str
    phase: str
    says: str
    error: type[PackagerError]
    within: float = 15
    """Seconds in which it has to be known."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the smoke test."""


@contextmanager
def found(cause: Cause) -> Iterator[Timeline]:
    """Hold the block to fail as ``cause`` says; it tells its phases to the timeline that it is given."""
    timeline, began = Timeline(), time.monotonic()
    with pytest.raises(cause.error) as caught:
        yield timeline
    assert cause.says in str(caught.value)
    assert caught.value.hint
    assert time.monotonic() - began < cause.within
    assert (timeline.phases[-1].name, timeline.phases[-1].ok) == (cause.phase, False)


def change_samples(folder: Path, change: Callable[[Sample], Sample]) -> None:
    contract = read_contract(folder)
    assert contract is not None
    write_contract(replace(contract, samples=tuple(map(change, contract.samples))), folder)


def leave(_: Path) -> None:
    """Spoil nothing."""


def drop_variables(folder: Path) -> None:
    """Leave a SavedModel that loads all the same, as one that has no variables would."""
    shutil.rmtree(folder / "variables")


def drop_weights(folder: Path) -> None:
    weights_of(folder).unlink()


def corrupt_weights(folder: Path) -> None:
    weights = weights_of(folder)
    weights.write_bytes(b"\x55" * weights.stat().st_size)


def weights_of(folder: Path) -> Path:
    (found,) = (folder / "variables").glob("*.data-*")
    return found


def drop_graph(folder: Path) -> None:
    (folder / "saved_model.pb").unlink()


def truncate_graph(folder: Path) -> None:
    content = (folder / "saved_model.pb").read_bytes()
    (folder / "saved_model.pb").write_bytes(content[: len(content) // 2])


def name_unknown_op(folder: Path) -> None:
    content = (folder / "saved_model.pb").read_bytes()
    assert b"MatMul" in content
    (folder / "saved_model.pb").write_bytes(content.replace(b"MatMul", b"XatXul"))


def rename_signature(folder: Path) -> None:
    change_samples(folder, lambda sample: replace(sample, signature="classify"))


def rename_input(folder: Path) -> None:
    def renamed(sample: Sample) -> Sample:
        return replace(sample, inputs={"z" if name == "a" else name: x for name, x in sample.inputs.items()})

    change_samples(folder, renamed)


def export_again(weights: list[list[float]]) -> Callable[[Path], None]:
    """Return what puts other weights into the model; its contract stays as it is."""
    return lambda folder: export(folder, np.array(weights, np.float32))


MODEL_FAULTS = (
    Cause(
        name="the variables folder is missing",
        make=drop_variables,
        phase="answers",
        says="Could not find variable",
        error=RequestError,
    ),
    Cause(
        name="the weights file is missing",
        make=drop_weights,
        phase="load",
        says="the server cannot load version 2 of 'm': NOT_FOUND",
        error=ServableLoadError,
    ),
    Cause(
        name="the weights are corrupted",
        make=corrupt_weights,
        phase="load",
        says="the server cannot load version 2 of 'm': DATA_LOSS",
        error=ServableLoadError,
    ),
    Cause(
        name="the graph is missing",
        make=drop_graph,
        phase="load",
        says="Could not find SavedModel .pb",
        error=ServableLoadError,
    ),
    Cause(
        name="the graph is truncated",
        make=truncate_graph,
        phase="load",
        says="OUT_OF_RANGE: Read less bytes than requested",
        error=ServableLoadError,
    ),
    Cause(
        name="the server lacks an op",
        make=name_unknown_op,
        phase="load",
        says="Op type not registered 'XatXul'",
        error=MissingOpError,
    ),
    Cause(
        name="a signature has another name",
        make=rename_signature,
        phase="metadata",
        says="the server has no signature 'classify': it has 'serving_default'",
        error=OtherSignatureError,
    ),
    Cause(
        name="an input has another name",
        make=rename_input,
        phase="metadata",
        says="signature 'serving_default' has no input 'z': the server has 'a', 'b', 'word'",
        error=OtherSignatureError,
    ),
    Cause(
        name="outputs are swapped",
        make=export_again([[6, 4, 2], [12, 10, 8]]),
        phase="answers",
        says="output 'sum' is wrong at",
        error=WrongAnswerError,
    ),
    Cause(
        name="a weight is NaN",
        make=export_again([[2, 4, 6], [8, 10, float("nan")]]),
        phase="answers",
        says="the server says nan, the source model said",
        error=NotANumberError,
    ),
    Cause(
        name="the first answer takes too long",
        make=leave,
        phase="budget",
        says="the answers are right, but the first answer came after",
        error=BudgetError,
        settings={"budget": Budget(cold_start_s=0.01)},
    ),
    Cause(
        name="requests take too long",
        make=leave,
        phase="budget",
        says="p99 of the latency is",
        error=BudgetError,
        settings={"budget": Budget(latency_ms=((99, 0.001),))},
    ),
    Cause(
        name="the server takes too much memory",
        make=leave,
        phase="budget",
        says="of memory, not 1 MB",
        error=BudgetError,
        settings={"budget": Budget(memory_bytes=1_000_000)},
    ),
)
"""Made of a model folder that the embedded server serves as a process."""

CONTAINER_FAULTS = (
    Cause(
        name="the entry point is missing",
        make="exec /usr/bin/no-such-server",
        phase="listen",
        says="the server ended before it was ready: exit code 127",
        error=ServerStartError,
    ),
    Cause(
        name="the server is for another architecture",
        make="exec /etc/arm64-program",
        phase="listen",
        says="the server ended before it was ready: exit code 126",
        error=ServerStartError,
    ),
    Cause(
        name="the server dies at start",
        make="echo 'error: no licence for this processor' >&2; exit 3",
        phase="listen",
        says="the server ended before it was ready: exit code 3",
        error=ServerStartError,
    ),
    Cause(
        name="the server runs out of memory",
        make="exec tail /dev/zero",
        phase="listen",
        says="the server ended before it was ready: out of memory",
        error=OutOfMemoryError,
        settings={"memory": 32 << 20},
    ),
    Cause(
        name="the server never gets ready",
        make="echo 'reading 9 GB of weights'; exec sleep 600",
        phase="listen",
        says="not ready after 2 s: still waiting for an answer at its REST port; "
        "the server's last words: reading 9 GB of weights",
        error=NotReadyError,
        settings={"timeout": 2},
    ),
)
"""Made of an image whose server is a shell script."""

SERVE = "tensorflow_model_server --rest_api_port=8501 --model_name=m --model_base_path=/models/m"

SERVER_FAULTS = (
    Cause(
        name="the server answers after 20 s, and 5 s are allowed",
        make=f"/opt/tfserving-packager/bin/python3.* -c 'import time; time.sleep(20)' & wait; {SERVE} & wait",
        phase="listen",
        says="not ready after 5 s",
        error=NotReadyError,
        settings={"timeout": 5},
    ),
    Cause(
        name="gRPC is not served",
        make=f"trap 'kill $!' TERM; {SERVE} --port=0 & wait; wait",
        phase="grpc",
        says="REST answers, but no gRPC server does within 10 s",
        error=RequestError,
        within=40,
    ),
    Cause(
        name="the server ignores SIGTERM",
        make=f"{SERVE} & wait",
        phase="stop",
        says="the server did not end within 10 s of SIGTERM, and was killed",
        error=LeftoverError,
        within=40,
    ),
)
"""Made of an image that really serves, by another entry point."""

PORT_TAKEN = Cause(
    name="the port is taken",
    make=leave,
    phase="start",
    says="is in use",
    error=PortTakenError,
)
NO_IMAGE = Cause(
    name="the image is not there",
    make=leave,
    phase="create",
    says="no image 'packager-test/absent:1'",
    error=ImageNotFoundError,
)
ENGINE_LOST = Cause(
    name="the engine stops in the middle",
    make=leave,
    phase="listen",
    says="the container engine stopped answering while",
    error=EngineUnavailableError,
    within=20,
)

CAUSES = (*MODEL_FAULTS, *CONTAINER_FAULTS, *SERVER_FAULTS, PORT_TAKEN, NO_IMAGE, ENGINE_LOST)
