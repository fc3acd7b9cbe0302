"""Changing a model's weights for speed, and measuring what that gains beside the model as it was."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packager.contract import Sample
from packager.isolation import run_isolated
from packager.progress import Report, say, warn
from packager.values import Binding, Endpoint, Optimization, ServingCost

if TYPE_CHECKING:
    from packager.loading.model import LoadedModel

_LOADS, _PATIENCE = 3, 4.0
_FEWEST, _MOST = 5, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizing:
    """What was done to a model, and the SavedModel of the model as it was."""

    folds: Sequence[Any]
    plain: Path

    @classmethod
    def of(cls, model: LoadedModel, endpoints: Sequence[Endpoint], report: Report) -> Optimizing | None:
        """Set the model as it is apart, and fold its batch normalisations; ``None`` without any to fold."""
        from packager.savedmodel.export import export

        folds = model.folds()
        if not folds:
            warn(report, "--optimize: no batch normalisation comes right after a layer that could take it up")
            return None
        plain = Path(tempfile.mkdtemp(prefix="plain-"))  # goes with this process's temporary files
        export(endpoints, plain, resources=model.resources, report=report)
        say(report, "folding batch normalisations")
        for fold in folds:
            fold.apply()
        return cls(folds=folds, plain=plain)

    def noted(self, bindings: Sequence[Binding]) -> tuple[Binding, ...]:
        """Return ``bindings`` with what was done to their variables."""
        from packager.loading.folding import noted

        return noted(bindings, self.folds)

    def measured(self, folder: Path, sample: Sample, report: Report) -> Optimization:
        """Measure the SavedModel in ``folder`` beside that of the model as it was, with the same request."""
        import tensorflow as tf

        feeds = {name: tf.make_tensor_proto(a).SerializeToString() for name, a in sample.inputs.items()}
        before, after = run_isolated(
            measure,
            (self.plain, folder),
            sample.signature,
            feeds,
            report=report,
            environment={"TF_NUM_INTRAOP_THREADS": "0"},  # as many as a server has
            doing="measuring the gain",
        )
        return Optimization(
            folded=tuple(fold.folded for fold in self.folds), batch=sample.batch, before=before, after=after
        )


def measure(
    folders: Sequence[Path], key: str, feeds: Mapping[str, bytes], *, report: Report
) -> list[ServingCost]:
    """Load SavedModels and ask them one request by turns, serialised tensors by input; return their costs.

    To be run in a process without TensorFlow's Python, as a server is one.
    """
    from packager.serving.native.session import Session
    from packager.serving.native.signatures import read_signatures
    from packager.serving.native.tensors import Tensor

    say(report, "measuring the gain")
    loads: list[list[float]] = [[] for _ in folders]
    sessions: list[Any] = []
    for number in range(_LOADS):
        for session in sessions:
            session.close()
        sessions = []
        for folder, seconds in zip(folders, loads, strict=True):
            began = time.perf_counter()
            sessions.append(Session(folder, tags=["serve"]))
            if number:  # the first of all initialises TensorFlow
                seconds.append(time.perf_counter() - began)
    asks = []
    for session in sessions:
        signature = read_signatures(session.meta_graph)[key]
        given = [(signature.inputs[name].name, Tensor.from_proto(proto)) for name, proto in feeds.items()]
        asks.append((session, given, [info.name for info in signature.outputs.values()]))
    times: list[list[float]] = [[] for _ in folders]
    end = time.monotonic() + _PATIENCE
    while len(times[0]) <= _FEWEST or (len(times[0]) < _MOST and time.monotonic() < end):
        for (session, given, fetched), spent in zip(asks, times, strict=True):
            began = time.perf_counter()
            session.run(given, fetched)
            spent.append(time.perf_counter() - began)
    return [
        ServingCost(
            load_seconds=min(seconds),
            latency_ms=1000 * min(spent[1:]),  # the first run prepares the graph
            size=sum(f.stat().st_size for f in (folder / "saved_model.pb", *folder.glob("variables/*"))),
        )
        for folder, seconds, spent in zip(folders, loads, times, strict=True)
    ]
