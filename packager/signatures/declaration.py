"""What a model's owner declares of its signatures, in TOML: the steps of training, names, labels, choices.

::

    batch = 8                                  # a fixed batch size

    [signatures]
    bytes = true                               # or false; classify, regress: only if asked for

    [inputs.input_1]                           # the model's own name of the input
    name = "image"
    dtype = "uint8"                            # what clients send
    shape = [-1, -1, 3]                        # without the batch; -1 is free
    steps = [
      { resize = [224, 224], aspect = "crop" },
      { mean = { dataset = "scaler/mean" }, std = { npz = "statistics.npz", array = "std" } },
    ]

    [outputs.dense_2]
    name = "scores"
    activation = "softmax"
    labels = "labels.txt"                      # or a list
    top_k = 3
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from packager.errors import SignatureError, UsageError
from packager.signatures.files import read_numbers, read_words
from packager.signatures.steps import STEPS, Resize, Step
from packager.values import Shape

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OPTIONAL = ("bytes", "classify", "regress")
"""The signatures that can be chosen; ``serving_default`` is always there."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputDeclaration:
    """How clients give one input of the model."""

    name: str | None = None
    dtype: str | None = None
    shape: Shape | None = None
    """Without the batch."""
    columns: tuple[str, ...] = ()
    """Names of the last dimension's values, each of which becomes an input of its own."""
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        if any(isinstance(step, Resize) for step in self.steps[1:]):
            raise ValueError("resize has to be the first step")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDeclaration:
    """What clients get of one output of the model."""

    name: str | None = None
    activation: str | None = None
    """``softmax`` or ``sigmoid``, of a model that gives logits."""
    labels: tuple[str, ...] = ()
    """The classes, in the order of the last dimension."""
    top_k: int | None = None
    argmax: bool = False
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.activation not in (None, "softmax", "sigmoid"):
            raise ValueError("activation is softmax or sigmoid")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError("top_k is 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """All that is declared of a model; what is not declared is as in the model."""

    batch: int | None = None
    signatures: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    inputs: Mapping[str, InputDeclaration] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, OutputDeclaration] = dataclasses.field(default_factory=dict)


def read_declaration(file: Path, *, model_file: Path) -> Declaration:
    """Read a declaration; files that it names lie beside it, datasets in ``model_file``.

    Raises UsageError where it is no TOML, SignatureError where it says what cannot be.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot read the declaration {str(file)!r}: {error}", hint="it is a TOML file: --signature FILE"
        ) from error
    return parse_declaration(document, folder=file.parent, model_file=model_file)


def parse_declaration(document: Mapping[str, Any], *, folder: Path, model_file: Path) -> Declaration:
    """Check what a TOML document declares, and read the files that it names."""
    source = _Source(folder=folder, model_file=model_file)
    tables = dict(document)
    inputs = {name: source.input(entry, f"inputs.{name}") for name, entry in tables.pop("inputs", {}).items()}
    outputs = {
        name: source.output(entry, f"outputs.{name}") for name, entry in tables.pop("outputs", {}).items()
    }
    signatures = tables.get("signatures", {})
    if unknown := signatures.keys() - set(OPTIONAL):
        raise SignatureError(
            f"no signature {', '.join(map(repr, sorted(unknown)))}", hint=f"choose of: {', '.join(OPTIONAL)}"
        )
    return _made(Declaration, {**tables, "inputs": inputs, "outputs": outputs}, "the declaration")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where the values come from that a declaration only names."""

    folder: Path
    model_file: Path

    def input(self, entry: Mapping[str, Any], where: str) -> InputDeclaration:
        steps = tuple(self.step(step, f"{where}.steps[{i}]") for i, step in enumerate(entry.get("steps", ())))
        values: dict[str, Any] = {**_tuples(entry), "steps": steps}
        if "shape" in entry:
            values["shape"] = tuple(None if size == -1 else size for size in entry["shape"])
        return _made(InputDeclaration, values, where)

    def output(self, entry: Mapping[str, Any], where: str) -> OutputDeclaration:
        return _made(OutputDeclaration, self.words(_tuples(entry), "labels"), where)

    def step(self, entry: Mapping[str, Any], where: str) -> Step:
        kinds = {dataclasses.fields(kind)[0].name: kind for kind in STEPS}
        kind = next((kinds[key] for key in entry if key in kinds), None)
        if kind is None:
            raise SignatureError(
                f"unknown step {', '.join(entry) or '{}'} in {where}",
                hint=f"the steps are: {', '.join(kinds)}",
            )
        values = {key: self.numbers(value) for key, value in _tuples(entry).items()}
        return _made(kind, self.words(values, "vocabulary"), where)

    def numbers(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        if value.keys() == {"dataset"}:
            return read_numbers(self.model_file, value["dataset"])
        if value.keys() == {"npz", "array"}:
            return read_numbers(self.folder / value["npz"], value["array"])
        raise SignatureError(
            f"unknown source of numbers {dict(value)}",
            hint='{ dataset = "PATH IN THE .h5" } or { npz = "FILE", array = "NAME" }',
        )

    def words(self, values: Mapping[str, Any], key: str) -> dict[str, Any]:
        if isinstance(values.get(key), str):
            return {**values, key: read_words(self.folder / values[key])}
        return dict(values)


def _tuples(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}


def _made(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    if unknown := values.keys() - set(known):
        raise SignatureError(
            f"unknown key {', '.join(map(repr, sorted(unknown)))} in {where}",
            hint=f"the keys are: {', '.join(known)}",
        )
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise SignatureError(f"{where}: {error}", hint=f"the keys are: {', '.join(known)}") from error
