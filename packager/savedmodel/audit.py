"""Audits a graph against the server that is to run it, before anything is built; reads it without TensorFlow.

What TensorFlow's runtime knows is the table ``ops.txt`` (``scripts/ops.py`` writes it). TensorFlow Serving
has the same operations, and those of TensorFlow Text and of Decision Forests besides
(``SUPPORTED_TENSORFLOW_OPS`` in tensorflow_serving/model_servers/BUILD).
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from packager.savedmodel.hazards import hazards
from packager.savedmodel.reach import Node, Reach
from packager.values import Finding, Severity

_BEYOND = re.compile(r"TFText>.*|SimpleML.*")
"""Operations that TensorFlow Serving has and TensorFlow has not."""

_PYTHON = re.compile(r"PyFunc(Stateless)?|EagerPyFunc")
_CUDNN = re.compile(r"CudnnRNN.*")
_TPU = re.compile(r".*(TPU|Tpu|Infeed|Outfeed).*")

_REWRITTEN = {"AccumulateNV2"}
"""Operations without a kernel that every server replaces before it runs a graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What is known of the server that is to run a graph."""

    name: str
    """``tensorflow/serving:2.20.0``."""
    tensorflow: str | None
    """Version of its TensorFlow, ``None`` where nothing tells."""
    serving: bool
    """Whether it is TensorFlow Serving itself."""
    known: bool = True
    """Whether its operations are: those of other images are anybody's guess, so no finding is an error."""


def audit_graph(reach: Reach, server: Server) -> tuple[Finding, ...]:
    """Return what stands between a graph and ``server``, the worst first."""
    found = [
        *_versions(reach.exporter, server),
        *_operations(reach.all, server),
        *hazards(reach),
    ]
    if not server.known:
        found = [replace(f, severity=min(f.severity, Severity.WARNING, key=_leniency)) for f in found]
    return tuple(sorted(found, key=lambda f: (-_leniency(f.severity), f.rule, f.path)))


def _leniency(severity: Severity) -> int:
    return (Severity.NOTE, Severity.WARNING, Severity.ERROR).index(severity)


def _versions(exporter: str, server: Server) -> Iterator[Finding]:
    if not exporter or server.tensorflow is None:
        return
    theirs, own = _minor(exporter), _minor(server.tensorflow)
    if theirs[:1] != own[:1] or own < theirs:
        other = theirs[:1] != own[:1]
        yield Finding(
            rule="server-version",
            severity=Severity.ERROR if other else Severity.WARNING,
            path="saved_model.pb",
            message=f"TensorFlow {exporter} exported it, {server.name} has TensorFlow {server.tensorflow}: "
            + ("another major version" if other else "an older one may lack what a newer one wrote"),
        )


def _minor(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _operations(nodes: Iterable[Node], server: Server) -> Iterator[Finding]:
    table = operations()
    seen: Counter[tuple[str, str]] = Counter()
    for node in nodes:
        if node.op.startswith("_") or node.op in _REWRITTEN or table.get(node.op):
            continue
        if server.serving and _BEYOND.fullmatch(node.op):
            continue
        seen[node.op, node.layer] += 1
    for (op, layer), count in seen.items():
        times = f", {count} times" if count > 1 else ""
        rule, why = _fault(op, table, server)
        message = f"operation {op!r}{times}: {why}"
        yield Finding(rule=rule, severity=Severity.ERROR, path=layer or op, message=message, layer=layer)


def _fault(op: str, table: Mapping[str, bool], server: Server) -> tuple[str, str]:
    """Return the rule that an operation breaks, and why and what helps, for people."""
    if _PYTHON.fullmatch(op):
        return (
            "python-op",
            "it calls Python code of the process that exported it: write it with TensorFlow's own",
        )
    if _CUDNN.fullmatch(op):
        return (
            "gpu-op",
            "it runs on GPUs only: export again without one, CUDA_VISIBLE_DEVICES= packager convert",
        )
    if _TPU.fullmatch(op):
        return "tpu-op", "it runs on TPUs only: export the model for serving"
    if op in table:
        return "no-kernel", f"{server.name} knows it and has no implementation for processors"
    if _BEYOND.fullmatch(op):
        return "unknown-op", f"{server.name} has it not, TensorFlow Serving has: --base official"
    return "unknown-op", f"{server.name} has no such operation: rebuild the server with it, or do without"


@functools.cache
def operations() -> Mapping[str, bool]:
    """Return TensorFlow's operations, and whether each has a kernel for processors."""
    lines = Path(__file__).with_name("ops.txt").read_text(encoding="ascii").splitlines()[1:]
    return {name: not dash for name, _, dash in (line.partition(" ") for line in lines)}
