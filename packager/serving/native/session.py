"""A SavedModel in a TensorFlow session: loaded, run and closed."""

from __future__ import annotations

import ctypes
import functools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import POINTER
from pathlib import Path
from typing import Any

from packager.protocol import message
from packager.serving.native.library import Buffer, Output, Status, c_api
from packager.serving.native.pace import Pace
from packager.serving.native.residency import give_back_pages, give_back_pages_soon
from packager.serving.native.tensors import Tensor
from packager.serving.status import Code, StatusError, invalid_argument

THIS_THREAD = -1
"""The ``inter_op_thread_pool`` of RunOptions that is no pool at all (``config.proto``)."""
_MOST_KNOWN = 64
"""Choices of inputs and outputs: clients may ask for any, in any order."""

_Names = tuple[tuple[str, ...], tuple[str, ...]]
"""What a run feeds and what it fetches."""


class Session:
    """A loaded SavedModel. ``run`` may be called by many threads at once."""

    def __init__(self, folder: Path, *, tags: Sequence[str], config: bytes = b"") -> None:
        """Load ``folder``'s graph with ``tags``; ``config`` is a serialised ConfigProto.

        Raises StatusError with TensorFlow's own code and words.
        """
        api = c_api()
        self._graph = api.TF_NewGraph()
        self._known: dict[_Names, tuple[Any, Any]] = {}
        meta_graph = api.TF_NewBuffer()
        try:
            with _session_options(config) as options, Status() as status:
                self._handle = api.TF_LoadSessionFromSavedModel(
                    options,
                    None,
                    str(folder).encode(),
                    (ctypes.c_char_p * len(tags))(*(tag.encode() for tag in tags)),
                    len(tags),
                    self._graph,
                    meta_graph,
                    status,
                )
            self.meta_graph = ctypes.string_at(meta_graph.contents.data, meta_graph.contents.length)
        except BaseException:
            api.TF_DeleteGraph(self._graph)
            raise
        finally:
            api.TF_DeleteBuffer(meta_graph)
        self.pace = Pace.of_graph(self.meta_graph)

    def run(
        self,
        feeds: Sequence[tuple[str, Tensor]],
        fetches: Sequence[str],
        *,
        timeout_ms: int = 0,
    ) -> list[Tensor]:
        """Feed tensors by the names that they have in the graph, and fetch others.

        ``timeout_ms`` 0 is no limit. A graph that is quick is run in the thread that calls, one operation
        after the other. Raises StatusError with TensorFlow's own code and words.
        """
        began = time.perf_counter()
        names = (tuple([name for name, _ in feeds]), tuple(fetches))
        known = self._known.get(names)
        sources, targets = known or map(self._find, names)
        at_once = self.quick
        results = (ctypes.c_void_p * len(fetches))()
        with Status() as status:
            c_api().TF_SessionRun(
                self._handle,
                run_options(0, THIS_THREAD) if at_once else run_options(timeout_ms),
                sources,
                (ctypes.c_void_p * len(feeds))(*[tensor.handle for _, tensor in feeds]),
                len(feeds),
                targets,
                results,
                len(fetches),
                None,
                0,
                None,
                status,
            )
        outputs = [Tensor(handle) for handle in results if handle]
        took = time.perf_counter() - began
        self.pace.note(took)
        if not known:
            self._know(names, sources, targets)
        if at_once and 0 < timeout_ms < 1000 * took:  # TensorFlow looks at no limit in this thread
            raise StatusError(Code.DEADLINE_EXCEEDED, "Timed out waiting for notification")
        return outputs

    @property
    def quick(self) -> bool:
        """Whether the next run may be expected to be over at once."""
        return self.pace.quick

    def _know(self, names: _Names, sources: Any, targets: Any) -> None:
        """Keep what a run of a new sort was of, and give back what it took to optimise the graph for it."""
        if len(self._known) < _MOST_KNOWN:
            self._known[names] = (sources, targets)
            give_back_pages()

    def _find(self, names: tuple[str, ...]) -> Any:
        """Find tensors of the graph by their names."""
        return (Output * len(names))(*map(self._output, names))

    def _output(self, name: str) -> Output:
        """Find a tensor of the graph by its name, ``operation:index``."""
        operation, _, index = name.partition(":")
        handle = c_api().TF_GraphOperationByName(self._graph, operation.encode())
        if not handle:
            raise invalid_argument(
                f"Tensor {name}, specified in either feed_devices or fetch_devices was not found in the Graph"
            )
        return Output(handle, int(index or 0))

    def close(self) -> None:
        """Free the session and its graph. No run may be under way."""
        api = c_api()
        try:
            with Status() as status:
                api.TF_CloseSession(self._handle, status)
        finally:
            with Status() as status:
                api.TF_DeleteSession(self._handle, status)
            api.TF_DeleteGraph(self._graph)
            give_back_pages_soon()


@contextmanager
def _session_options(config: bytes) -> Iterator[int]:
    api = c_api()
    options = api.TF_NewSessionOptions()
    try:
        if config:
            with Status() as status:
                api.TF_SetConfig(options, config, len(config), status)
        yield options
    finally:
        api.TF_DeleteSessionOptions(options)


@functools.cache
def run_options(timeout_ms: int, thread_pool: int = 0) -> Any:
    """Return RunOptions with a time limit, in a buffer that is never freed: the server knows few limits."""
    if not (timeout_ms or thread_pool):
        return POINTER(Buffer)()
    options = message("RunOptions")(timeout_in_ms=timeout_ms, inter_op_thread_pool=thread_pool)
    serialised = options.SerializeToString()
    return c_api().TF_NewBufferFromString(serialised, len(serialised))
