"""Weights without an architecture, put into one that was supplied: each of them once, and each variable."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import h5py

from packager.loading.fitting import fit_raw, is_square, square_problems
from packager.loading.matching import Layer, Matching, Pair, Tensor, match_layers
from packager.loading.places import stored_layers
from packager.loading.problems import raise_problems, unmatched_problems
from packager.loading.setting import Setting, Turning, in_order
from packager.loading.target import Target, single_tensor
from packager.loading.theano import pad_as_theano
from packager.loading.writers import check_writer
from packager.mapping import Proposal, Source, WeightMapping
from packager.values import Binding, FileKind, Inspection


def set_weights(
    inspection: Inspection, target: Target, mapping: WeightMapping, *, backend: str | None = None
) -> tuple[tuple[Binding, ...], tuple[str, ...]]:
    """Set every variable of ``target`` from the file; return bindings, and warnings of NaN.

    ``backend`` is the one of Keras 1 or 2 that the weights were written on.

    Raises ModelLoadError that names all that is missing, left over, ambiguous or of another shape.
    """
    matching = _match(inspection, target, mapping)
    problems = unmatched_problems(matching)
    if inspection.kind is FileKind.RAW:
        problems += square_problems(matching.pairs, mapping)
    listed = inspection.kind is FileKind.WEIGHTS
    if listed:
        check_writer(target, inspection.keras_version, backend)
    work = Setting(
        target=target,
        problems=problems,
        turn=Turning(target=target, version=inspection.keras_version, backend=backend) if listed else None,
    )
    with h5py.File(inspection.path, "r") as file:
        work.take_mapped(file, mapping)
        for pair in matching.pairs:
            work.take_pair(file, pair)
    raise_problems(problems)
    if listed and backend == "theano":
        pad_as_theano(target.model, inspection.keras_version)
    target.library.finalize(target.model)
    order = {name: number for number, name in enumerate(target.variables)}
    return tuple(sorted(work.bindings, key=lambda b: order[b.variable])), tuple(work.warnings)


def propose(
    inspection: Inspection, target: Target, mapping: WeightMapping
) -> tuple[list[Proposal], list[Tensor]]:
    """Return the best guess of where every variable comes from, and the datasets that nothing takes."""
    if inspection.kind is FileKind.RAW:
        proposals, left = _propose_raw(_match(inspection, target, mapping), inspection, target)
    else:
        matching = _match(inspection, target, mapping, guess=True)
        proposals = [proposal for pair in matching.pairs for proposal in _proposals(pair)]
        proposals += [_nothing_fits(tensor) for layer in matching.missing for tensor in layer.tensors]
        left = [tensor for layer in matching.left_over for tensor in layer.tensors]
    order = {name: number for number, name in enumerate(target.variables)}
    return sorted(proposals, key=lambda proposal: order[proposal.variable]), left


def _proposals(pair: Pair) -> Iterator[Proposal]:
    for dataset, variable in zip(in_order(pair), pair.built.tensors, strict=False):
        fits = dataset.shape == variable.shape
        yield Proposal(
            variable=variable.name,
            shape=variable.shape,
            source=Source(dataset=dataset.name) if fits else None,
            how=f"by {pair.how}" if fits else f"{dataset.name} has another shape",
            sure=pair.sure,
        )


def _nothing_fits(tensor: Tensor) -> Proposal:
    return Proposal(variable=tensor.name, shape=tensor.shape, source=None, how="nothing fits", sure=False)


def _propose_raw(
    matching: Matching, inspection: Inspection, target: Target
) -> tuple[list[Proposal], list[Tensor]]:
    """Keep what is sure, and guess at the rest: a square kernel is sure only by its name."""
    sure = [p for p in matching.pairs if p.how == "name" or not is_square(p.built.shapes[0])]
    unsure = [pair for pair in matching.pairs if pair not in sure]
    open_layers = {
        *matching.missing,
        *matching.left_over,
        *(p.built for p in unsure),
        *(p.stored for p in unsure),
    }
    fitted = fit_raw(
        [layer.tensors[0] for layer in target.layers(FileKind.RAW) if layer in open_layers],
        [layer.tensors[0] for layer in _stored(inspection) if layer in open_layers],
        straight=any(len(pair.built.shapes[0]) > 1 for pair in sure),
    )
    proposals = [proposal for pair in sure for proposal in _proposals(pair)]
    proposals += [
        Proposal(
            variable=fit.variable.name, shape=fit.variable.shape, source=fit.source, how=fit.how, sure=False
        )
        for fit in fitted.fits
    ]
    return proposals + list(map(_nothing_fits, fitted.variables)), fitted.datasets


def _match(
    inspection: Inspection, target: Target, mapping: WeightMapping, *, guess: bool = False
) -> Matching:
    """Match what the mapping leaves to be matched."""
    taken = {source.dataset for source in mapping.variables.values()} | set(mapping.unused)
    stored = _without(_stored(inspection), taken)
    built = _without(target.layers(inspection.kind), mapping.variables.keys())
    return match_layers(stored, built, guess=guess)


def _stored(inspection: Inspection) -> list[Layer]:
    if inspection.kind is FileKind.KERAS3_WEIGHTS:
        return stored_layers(inspection.layers)
    if inspection.kind is FileKind.RAW:
        return [single_tensor(w.path, w.shape) for layer in inspection.layers for w in layer.weights]
    return [
        Layer(
            name=layer.name,
            place="",
            tensors=tuple(Tensor(name=w.path, shape=w.shape) for w in layer.weights),
        )
        for layer in inspection.layers
        if layer.weights
    ]


def _without(layers: Sequence[Layer], taken: Collection[str]) -> list[Layer]:
    rest = (
        replace(layer, tensors=tuple(t for t in layer.tensors if t.name not in taken)) for layer in layers
    )
    return [layer for layer in rest if layer.tensors]
