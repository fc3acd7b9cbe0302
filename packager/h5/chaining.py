"""The stack of layers that weights belong to, told from their shapes alone where those chain.

784x128, 128, 128x10 and 10 are two Dense layers. What leaves no trace in shapes is asked for: activations,
padding, the size of pictures.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from packager.h5.spec import OPEN
from packager.values import Inspection, WeightDataset

_CONVOLUTIONS = {3: "Conv1D", 4: "Conv2D", 5: "Conv3D"}
_MOST_DATASETS = 1000
_MOST_ORDERS = 40_320
"""Orders of layers to try where that of the file does not chain: those of eight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A kernel as a layer would take it, with how it is to be turned for that."""

    dataset: WeightDataset
    shape: tuple[int, ...]
    """As Keras keeps it: space, inputs, outputs."""
    biased: bool = False
    """Whether a row or column of the dataset is the bias."""

    @property
    def ins(self) -> int:
        """How many numbers, or channels, come in."""
        return self.shape[-2]

    @property
    def outs(self) -> int:
        """How many come out."""
        return self.shape[-1]


@dataclass(slots=True, kw_only=True)
class Suggestion:
    """A stack of layers, and what of the file has no place in it."""

    layers: list[dict[str, object]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """For each layer, what it was read from."""
    input: list[object] = field(default_factory=list)
    left_over: list[WeightDataset] = field(default_factory=list)
    without_bias: int = 0

    def add(self, layer: dict[str, object], remark: str) -> None:
        """Add a layer on top."""
        self.layers.append(layer)
        self.remarks.append(remark)


def suggest_spec(inspection: Inspection) -> str | None:
    """Write an architecture to start from, ``None`` where the shapes of the datasets do not chain."""
    datasets = [w for layer in inspection.layers for w in layer.weights if math.prod(w.shape) > 0]
    if len(datasets) > _MOST_DATASETS:
        return None
    suggestion = _suggest([w for w in datasets if w.dtype.startswith(("float", "bfloat", "int", "uint"))])
    return None if suggestion is None else _text(suggestion)


def _suggest(datasets: Sequence[WeightDataset]) -> Suggestion | None:
    """Return the stack that uses most of the datasets; of several, the one as Keras keeps kernels."""
    others = [w for w in datasets if len(w.shape) not in (1, 2, *_CONVOLUTIONS)]
    suggestions = [
        _stack(order, reading.vectors, others)
        for reading in _readings([w for w in datasets if w not in others])
        for order in _orders(reading.kernels)
    ]
    return min(suggestions, key=lambda s: len(s.left_over) + s.without_bias, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One way to take the datasets: as kernels and vectors."""

    kernels: Sequence[Kernel]
    vectors: Sequence[WeightDataset]


def _readings(datasets: Sequence[WeightDataset]) -> Iterator[_Reading]:
    kernels = [w for w in datasets if len(w.shape) > 1]
    vectors = [w for w in datasets if len(w.shape) == 1]
    for read in (_straight, _turned, _with_bias_row, _with_bias_column):
        yield _Reading(kernels=list(map(read, kernels)), vectors=vectors)
    if stacks := [w for w in kernels if len(w.shape) == 3 and w.shape[1] == w.shape[2]]:
        sizes = {w.shape[:2] for w in stacks}
        unstacked = [part for w in kernels if w.shape not in sizes for part in _parts(w, w in stacks)]
        biases = [part for w in datasets if w.shape in sizes for part in _parts(w, True)]
        yield _Reading(kernels=list(map(_straight, unstacked)), vectors=[*biases, *vectors])


def _parts(weight: WeightDataset, stacked: bool) -> list[WeightDataset]:
    count, *shape = weight.shape
    part = WeightDataset(path=weight.path, shape=tuple(shape), dtype=weight.dtype)
    return [part] * count if stacked else [weight]


def _straight(weight: WeightDataset) -> Kernel:
    return Kernel(dataset=weight, shape=weight.shape)


def _turned(weight: WeightDataset) -> Kernel:
    """Read a kernel whose outputs come first, as PyTorch keeps them."""
    outs, ins, *space = weight.shape
    return Kernel(dataset=weight, shape=(*space, ins, outs))


def _with_bias_row(weight: WeightDataset) -> Kernel:
    *space, ins, outs = weight.shape
    return Kernel(dataset=weight, shape=(*space, ins - 1, outs), biased=True)


def _with_bias_column(weight: WeightDataset) -> Kernel:
    *space, ins, outs = _turned(weight).shape
    return Kernel(dataset=weight, shape=(*space, ins - 1, outs), biased=True)


def _orders(kernels: Sequence[Kernel]) -> Iterator[Sequence[Kernel]]:
    """Yield the orders in which kernels chain: that of the file first, others where there are few enough."""
    if not kernels or any(kernel.ins < 1 for kernel in kernels):
        return
    if _chains(kernels):
        yield kernels
    elif math.factorial(min(len(kernels), 20)) <= _MOST_ORDERS:
        yield from filter(_chains, itertools.permutations(kernels))


def _chains(kernels: Sequence[Kernel]) -> bool:
    return all(_follows(first, second) for first, second in itertools.pairwise(kernels))


def _follows(first: Kernel, second: Kernel) -> bool:
    """Tell whether a layer takes what another gives; pictures are flattened before a Dense layer."""
    if first.ins < 1 or second.ins < 1:
        return False
    if len(first.shape) > 2 and len(second.shape) == 2:
        return second.ins % first.outs == 0
    return (
        len(first.shape) == len(second.shape) and first.outs == second.ins and first.biased == second.biased
    )


def _stack(
    kernels: Sequence[Kernel], vectors: Sequence[WeightDataset], others: Sequence[WeightDataset]
) -> Suggestion:
    first, biases = kernels[0], _Biases(kernels, vectors)
    made = Suggestion(input=[*([OPEN] * (len(first.shape) - 2)), first.ins])
    for previous, kernel in zip([None, *kernels], kernels, strict=False):
        if previous and len(previous.shape) > 2 and len(kernel.shape) == 2:
            made.add({"class": _reduction(previous, kernel)}, "a guess: something has to take the space away")
        bias = biases.take(kernel)
        made.without_bias += bias is None
        made.add(_layer(kernel, bias=bias is not None), _remark(kernel, bias))
    made.left_over = [*biases.left, *others]
    return made


class _Biases:
    """The vectors, given out to kernels in order; one vector may hold the biases of all."""

    def __init__(self, kernels: Sequence[Kernel], vectors: Sequence[WeightDataset]) -> None:
        total = sum(kernel.outs for kernel in kernels)
        packed = [v for v in vectors if v.shape[0] == total and len(kernels) > 1]
        self._packed = packed[0] if packed and len(vectors) == 1 else None
        self.left = [v for v in vectors if v is not self._packed]

    def take(self, kernel: Kernel) -> WeightDataset | None:
        """Return what holds a kernel's bias, ``None`` where nothing does."""
        if kernel.biased or self._packed:
            return kernel.dataset if kernel.biased else self._packed
        place = next((n for n, v in enumerate(self.left) if v.shape[0] == kernel.outs), None)
        return None if place is None else self.left.pop(place)


def _reduction(previous: Kernel, kernel: Kernel) -> str:
    return "Flatten" if kernel.ins > previous.outs else f"GlobalAveragePooling{len(previous.shape) - 2}D"


def _layer(kernel: Kernel, *, bias: bool) -> dict[str, object]:
    *space, _, outs = kernel.shape
    arguments: dict[str, object] = {"activation": OPEN} if bias else {"use_bias": False, "activation": OPEN}
    if not space:
        return {"class": "Dense", "units": outs, **arguments}
    return {
        "class": _CONVOLUTIONS[len(kernel.shape)],
        "filters": outs,
        "kernel_size": space,
        "padding": OPEN,
        **arguments,
    }


def _remark(kernel: Kernel, bias: WeightDataset | None) -> str:
    told = [kernel.dataset] + ([bias] if bias and bias is not kernel.dataset else [])
    return ", ".join(f"{weight.path} ({'x'.join(map(str, weight.shape))})" for weight in told)


def _text(suggestion: Suggestion) -> str:
    lines = [
        '# A stack of layers that the shapes of the datasets chain to. Answer each "?": the weights do not.',
        "# What has no weights leaves no trace: add pooling, strides and flattening as the model had them.",
        *(f"# Not used: {w.path} ({'x'.join(map(str, w.shape)) or 'scalar'})" for w in suggestion.left_over),
        f"input = {json.dumps(suggestion.input)}",
    ]
    for layer, remark in zip(suggestion.layers, suggestion.remarks, strict=True):
        lines += ["", f"[[layers]]  # {remark}", *_entries(layer)]
    return "\n".join(lines) + "\n"


def _entries(layer: dict[str, object]) -> Iterable[str]:
    return (f"{key} = {json.dumps(value)}" for key, value in layer.items())
