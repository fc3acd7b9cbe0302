"""What a model's owner declares of its signatures, in TOML: the steps of training, names, labels, choices.

::

    batch = 8                                  # a fixed batch size

    [signatures]
    bytes = true                               # or false; classify, regress: only if asked for
    serving_default = false                    # there unless switched off

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
from collections.abc import Mapping
from dataclasses import dataclass

from packager.signatures.steps import Resize, Split, Step, Vocabulary
from packager.values import Shape

SIGNATURES = ("serving_default", "bytes", "classify", "regress")
"""The signatures that can be switched on and off."""

DTYPES = (
    *("float32", "float64", "float16", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64", "bool", "string"),
)
"""What clients can send."""


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
        for step, followers in ((step, self.steps[i:]) for i, step in enumerate(self.steps, start=1)):
            if isinstance(step, Split) and not (followers and isinstance(followers[0], Vocabulary)):
                raise ValueError("a vocabulary has to follow split")
        if self.dtype is not None and self.dtype not in DTYPES:
            raise ValueError(f"dtype is one of {', '.join(DTYPES)}")
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("a column is named twice")


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
        if self.top_k is not None and self.threshold is not None:
            raise ValueError("top_k and threshold both say which classes are wanted: choose one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """All that is declared of a model; what is not declared is as in the model."""

    batch: int | None = None
    signatures: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    inputs: Mapping[str, InputDeclaration] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, OutputDeclaration] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.batch is not None and self.batch < 1:
            raise ValueError("batch is 1 or more, or left out: any")
