"""Loads many files in one child process, which imports TensorFlow once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from packager.errors import PackagerError
from packager.isolation import run_isolated
from packager.progress import Report
from packager.values import NOTHING_SUPPLIED, Binding, Supplied

HERE = Path(__file__).parent
KERAS2 = {"TF_USE_LEGACY_KERAS": "1"}


@dataclass(frozen=True)
class Load:
    """A file to load, with what the user brings along and what to ask the model."""

    path: Path
    supplied: Supplied = NOTHING_SUPPLIED
    given: Any = None


@dataclass(frozen=True)
class Outcome:
    """What came of it: an answer with all that was found out, or an error."""

    answer: Any = None
    loader: str = ""
    bindings: tuple[Binding, ...] = ()
    parameters: int = 0
    warnings: tuple[str, ...] = ()
    error: PackagerError | None = None


def load_all(loads: Sequence[Load], folder: Path | None = None, *, report: Report) -> list[Outcome]:
    """Load one file after the other, in ``folder``."""
    if folder is not None:
        os.chdir(folder)
    return [_outcome(load) for load in loads]


def _outcome(load: Load) -> Outcome:
    import tensorflow as tf

    from packager.h5 import admit
    from packager.loading.loading import load_model

    try:
        model = load_model(*admit(load.path, load.supplied), load.supplied)
    except PackagerError as error:
        return Outcome(error=error)
    answer = None
    for _ in range(0 if load.given is None else 2):  # the second time, a state would show
        answer = model.call([tf.constant(load.given)])[0].numpy()
    return Outcome(answer, model.loader, model.bindings, model.parameters, model.warnings)


def propose(path: Path, supplied: Supplied, *, report: Report) -> str:
    """Write a mapping to start from."""
    from packager.h5 import admit
    from packager.loading.loading import propose_mapping

    return propose_mapping(*admit(path, supplied), supplied)


def map_and_load(paths: Sequence[Path], given: Sequence[Any], *, report: Report) -> list[Outcome]:
    """Propose a mapping for each file to the architecture in the ``.toml`` beside it, and load by it."""
    loads = []
    for path, question in zip(paths, given, strict=True):
        architecture = str(path.with_suffix(".toml"))
        mapping = path.with_suffix(".map")
        mapping.write_text(propose(path, Supplied(architecture=architecture), report=report))
        loads.append(Load(path, Supplied(architecture=architecture, mapping=mapping), question))
    return load_all(loads, report=report)


def in_child(function: Callable[..., Any], *arguments: Any, environment: dict[str, str] | None = None) -> Any:
    """Call a function of these tests in a child, where user code is imported."""
    return run_isolated(
        function,
        *arguments,
        environment={"PYTHONPATH": str(HERE), "KERAS_BACKEND": "tensorflow", **(environment or {})},
    )


def load_in_child(loads: Sequence[Load], *, keras2: bool) -> list[Outcome]:
    outcomes: list[Outcome] = in_child(load_all, loads, HERE, environment=KERAS2 if keras2 else {})
    return outcomes


def answer_of(path: Path) -> tuple[Any, Any]:
    """Return a question, and the answer of the model that weights come from."""
    with np.load(path.with_name(f"{path.name.split('.')[0]}.npz")) as arrays:
        return arrays["given"], arrays["answer"]
