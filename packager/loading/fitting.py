"""Raw datasets, which no Keras laid out: which parts of them fit which variables, by shape and order alone.

Nothing tells whether a square kernel lies as Keras keeps it or transposed, but the kernels beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from packager.loading.matching import Pair, Shape, Tensor
from packager.mapping import Source, WeightMapping

_TURNS: dict[int, tuple[int, ...]] = {2: (1, 0), 3: (2, 1, 0), 4: (2, 3, 1, 0), 5: (2, 3, 4, 1, 0)}
"""How kernels whose outputs come first, as PyTorch keeps them, become those of Keras."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A variable with the part of a dataset that fits it."""

    variable: Tensor
    source: Source
    how: str


@dataclass(slots=True, kw_only=True)
class Fitting:
    """What was fitted so far, and what remains on both sides, in order."""

    variables: list[Tensor]
    datasets: list[Tensor]
    fits: list[Fit] = field(default_factory=list)

    def take(self, dataset: Tensor, parts: Sequence[tuple[Tensor, Source]], how: str) -> None:
        """Note the parts of a dataset, and that all of it is used."""
        self.datasets.remove(dataset)
        for variable, source in parts:
            self.variables.remove(variable)
            self.fits.append(Fit(variable=variable, source=source, how=how))


def fit_raw(variables: Sequence[Tensor], datasets: Sequence[Tensor], *, straight: bool = False) -> Fitting:
    """Guess which dataset, or part of one, is which variable: whole ones first, then turned, then packed.

    ``straight`` tells that other kernels of the file are known to lie as Keras keeps them.
    """
    work = Fitting(variables=list(variables), datasets=list(datasets))
    _take_whole(work, turned=False, square=False)
    straight |= any(len(fit.variable.shape) > 1 for fit in work.fits)
    _take_whole(work, turned=True, square=False)
    turned = any(fit.source.transpose for fit in work.fits)
    _take_whole(work, turned=turned and not straight, square=True)
    for dataset in list(work.datasets):
        parts, how = next(_packings(dataset, work.variables), ([], ""))
        if parts:
            work.take(dataset, parts, how)
    return work


def _take_whole(work: Fitting, *, turned: bool, square: bool) -> None:
    how = "by shape and order" + (", transposed" if turned else "")
    for dataset in list(work.datasets):
        turn = _TURNS.get(len(dataset.shape), ()) if turned else ()
        shape = tuple(dataset.shape[axis] for axis in turn) or dataset.shape
        fitting = (v for v in work.variables if v.shape == shape and is_square(shape) == square)
        if (variable := next(fitting, None)) and (turn or not turned):
            work.take(dataset, [(variable, Source(dataset=dataset.name, transpose=turn))], how)


def is_square(shape: Shape) -> bool:
    """Tell whether a kernel looks the same when it is transposed."""
    turn = _TURNS.get(len(shape))
    return turn is not None and tuple(shape[axis] for axis in turn) == shape and math.prod(shape) > 1


Packing = tuple[list[tuple[Tensor, Source]], str]


def _packings(dataset: Tensor, variables: Sequence[Tensor]) -> Iterator[Packing]:
    """Yield the ways in which one dataset may hold several variables, the likeliest first."""
    yield from _stacked(dataset, variables)
    yield from _with_bias(dataset, variables)
    if len(dataset.shape) == 1:
        yield from _in_a_row(dataset, variables)


def _stacked(dataset: Tensor, variables: Sequence[Tensor]) -> Iterator[Packing]:
    count, *shape = dataset.shape or (0,)
    alike = [variable for variable in variables if variable.shape == tuple(shape)]
    if shape and count and len(alike) >= count:
        parts = [(v, Source(dataset=dataset.name, part=(i,))) for i, v in enumerate(alike[:count])]
        yield parts, "stacked on the first axis, by order"


def _with_bias(dataset: Tensor, variables: Sequence[Tensor]) -> Iterator[Packing]:
    """A kernel with its bias as one more row, or (transposed) as one more column."""
    if len(dataset.shape) != 2:
        return
    for kernel in variables:
        bias = next(
            (v for v in variables if _layer(v) == _layer(kernel) and v.shape == kernel.shape[1:]), None
        )
        if bias is None or len(kernel.shape) != 2:
            continue
        rows, columns = kernel.shape
        if dataset.shape == (rows + 1, columns):
            parts = [
                (kernel, Source(dataset=dataset.name, part=(slice(0, rows),))),
                (bias, Source(dataset=dataset.name, part=(rows,))),
            ]
            yield parts, "with the bias as the last row"
        if dataset.shape == (columns, rows + 1):
            every = slice(None)
            parts = [
                (kernel, Source(dataset=dataset.name, part=(every, slice(0, rows)), transpose=(1, 0))),
                (bias, Source(dataset=dataset.name, part=(every, rows))),
            ]
            yield parts, "transposed, with the bias as the last column"


def _in_a_row(dataset: Tensor, variables: Sequence[Tensor]) -> Iterator[Packing]:
    """Numbers one after the other: of all vectors, of all kernels, of one layer, or of everything."""
    layers = dict.fromkeys(map(_layer, variables))
    groups = [
        [v for v in variables if len(v.shape) < 2],
        [v for v in variables if len(v.shape) > 1],
        *([v for v in variables if _layer(v) == layer] for layer in layers),
        list(variables),
    ]
    for group in groups:
        if group and sum(math.prod(v.shape) for v in group) == dataset.shape[0]:
            yield list(_cut(dataset, group)), "one after the other, by order"


def _cut(dataset: Tensor, variables: Sequence[Tensor]) -> Iterator[tuple[Tensor, Source]]:
    start = 0
    for variable in variables:
        end = start + math.prod(variable.shape)
        shape = variable.shape if len(variable.shape) != 1 else ()
        yield variable, Source(dataset=dataset.name, part=(slice(start, end),), reshape=shape)
        start = end


def _layer(variable: Tensor) -> str:
    return variable.name.rpartition("/")[0]


def square_problems(pairs: Sequence[Pair], mapping: WeightMapping) -> list[str]:
    """Name the square kernels that were matched by shape where nothing tells which way they lie."""
    squares = [pair for pair in pairs if pair.how != "name" and is_square(pair.built.shapes[0])]
    straight = any(len(pair.built.shapes[0]) > 1 and not is_square(pair.built.shapes[0]) for pair in pairs)
    if straight and not any(source.transpose for source in mapping.variables.values()):
        return []
    return [
        f"the file's {pair.stored.tensors[0].name!r} may lie transposed: nothing tells, for it is square"
        for pair in squares
    ]
