"""Loads versions: the graph, what batches its runs, and its recorded requests."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from packager.serving.batching.session import Batching
from packager.serving.metrics import Metrics
from packager.serving.models.keeper import Load
from packager.serving.native.servable import LoadOptions, Runner, Servable
from packager.serving.native.tensors import Tensor
from packager.serving.platform import Platform
from packager.serving.status import StatusError
from packager.serving.warmup import warm_up


def loader(platform: Platform, metrics: Metrics | None) -> Load:
    """Return what loads a version, and plays its recorded requests; or raise StatusError."""
    options = LoadOptions(
        tags=platform.tags,
        session_config=platform.session_config,
        lite_interpreters=platform.lite_interpreters,
    )
    batching = platform.batching and Batching(
        platform.batching, per_model=platform.batching_per_model, metrics=metrics
    )

    def load(name: str, version: int, folder: Path) -> Servable:
        servable = _load_measured(name, version, folder, options, metrics)
        try:
            if batching:
                servable.session = batching.wrap(servable.session, servable.signatures, folder)
            if platform.warmup:
                warm_up(servable, folder, iterations=platform.iterations, metrics=metrics)
        except BaseException:
            servable.close()
            raise
        return servable

    return load


def _load_measured(
    name: str, version: int, folder: Path, options: LoadOptions, metrics: Metrics | None
) -> Servable:
    if metrics is None:
        return Servable.load(name, version, folder, options)
    began = time.perf_counter()
    try:
        servable = Servable.load(name, version, folder, options)
    except StatusError:
        metrics.note_load(str(folder), 0.0, loaded=False)
        raise
    metrics.note_load(str(folder), time.perf_counter() - began, loaded=True)
    servable.session = _CountedRuns(servable.session, metrics)
    return servable


class _CountedRuns:
    """A session whose runs are noted."""

    def __init__(self, session: Runner, metrics: Metrics) -> None:
        self._session = session
        self._metrics = metrics

    def run(
        self, feeds: Sequence[tuple[str, Tensor]], fetches: Sequence[str], *, timeout_ms: int = 0
    ) -> list[Tensor]:
        """Run the graph, and note it unless it fails."""
        began = time.perf_counter()
        results = self._session.run(feeds, fetches, timeout_ms=timeout_ms)
        self._metrics.note_graph_run(time.perf_counter() - began)
        return results

    @property
    def quick(self) -> bool:
        """Whether the next run may be expected to be over at once."""
        return self._session.quick

    def close(self) -> None:
        """Free the graph. No run may be under way."""
        self._session.close()
