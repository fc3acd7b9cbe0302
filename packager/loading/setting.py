"""Setting a model's variables from the datasets that were matched with them, and keeping account of it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import h5py
import numpy as np

from packager.errors import UsageError
from packager.loading.bindings import not_finite, prove_layer, whole_for_float
from packager.loading.deferred import set_variable, unwrapped
from packager.loading.matching import Pair, Tensor
from packager.loading.target import Target
from packager.loading.theano import flip_kernels
from packager.mapping import Source, WeightMapping, slice_text
from packager.stored import StoredArray, array_of
from packager.values import Binding


class Turning:
    """Turns weights as an older Keras, or another backend, kept them into those of today's layers."""

    def __init__(self, *, target: Target, version: str | None, backend: str | None) -> None:
        self._library, self._version, self._backend = target.library, version, backend
        self._layers = {layer.name: layer for layer, _ in target.library.legacy_order(target.model)}

    def convert(self, name: str, arrays: list[Any]) -> list[Any]:
        """Turn gates that were kept apart, the layout of CuDNN, and axes in another order."""
        try:
            return list(self._library.convert_weights(self._layers[name], arrays, version=self._version))
        except (ValueError, IndexError, TypeError, KeyError):  # of shapes that this layer never had
            return arrays

    def flip(self, name: str) -> None:
        """Turn the kernels of a layer whose variables are set, where they come from Theano."""
        if self._backend == "theano" and name in self._layers:
            flip_kernels(self._layers[name])


class Setting:
    """Sets variables, and collects what was bound and what does not fit."""

    def __init__(self, *, target: Target, problems: list[str], turn: Turning | None) -> None:
        self._target, self._problems, self._turn = target, problems, turn
        self.bindings: list[Binding] = []
        self.warnings: list[str] = []

    def take_pair(self, file: h5py.File, pair: Pair) -> None:
        """Set a layer's variables from the datasets it was matched with."""
        stored = [(tensor.name, array_of(file[tensor.name])) for tensor in in_order(pair)]
        arrays = [array for _, array in stored]
        if self._turn:
            arrays = self._turn.convert(pair.built.name, arrays)
        misfits = list(_misfits(pair, stored, arrays))
        self._problems += misfits
        if misfits:
            return
        for tensor, array in zip(pair.built.tensors, arrays, strict=True):
            set_variable(self._target.variables[tensor.name], array)
        if self._turn:
            self._turn.flip(pair.built.name)
        variables = [(tensor.name, self._target.variables[tensor.name]) for tensor in pair.built.tensors]
        unread = [(path, functools.partial(np.asarray, array)) for path, array in stored]
        bound, read = prove_layer(pair.built.name, variables, unread)
        self.bindings += [replace(binding, matched=pair.how) for binding in bound]
        self.warnings += not_finite(read)
        self.warnings += whole_for_float(bound, {path: file[path].dtype for path, _ in stored})

    def take_mapped(self, file: h5py.File, mapping: WeightMapping) -> None:
        """Set the variables that the mapping file names, and see that it uses each number once."""
        used: dict[str, Any] = {}
        for name, source in mapping.variables.items():
            dataset = file.get(source.dataset)
            if name not in self._target.variables or not isinstance(dataset, h5py.Dataset):
                raise UsageError(
                    f"the mapping names {name!r} = {source.dataset!r}, and there is no such "
                    f"{'dataset' if name in self._target.variables else 'variable'}",
                    hint="packager map FILE --architecture … lists both",
                )
            stored = array_of(dataset)
            counts = used.setdefault(source.dataset, np.zeros(stored.shape, np.uint8))
            done = len(self.bindings)
            self._take_source(name, source, stored)
            self.warnings += whole_for_float(self.bindings[done:], {source.dataset: dataset.dtype})
            counts[source.part] += 1
        for path, counts in used.items():
            if (counts != 1).any():
                how = "more than once" if (counts > 1).any() else "in part only"
                self._problems.append(f"the mapping uses dataset {path!r} {how}")

    def _take_source(self, name: str, source: Source, stored: Any) -> None:
        variable = self._target.variables[name]
        try:
            array = _taken(source, stored)
        except (ValueError, IndexError) as error:
            raise UsageError(
                f"the mapping of {name!r} does not fit {source.dataset!r} {stored.shape}: {error}",
                hint="a slice for each axis, then reshape, transpose and flip, in that order",
            ) from error
        if array.shape != tuple(variable.shape):
            self._problems.append(_shape_problem(name, tuple(variable.shape), source.dataset, array.shape))
            return
        set_variable(variable, array)
        self.bindings.append(
            Binding(
                variable=name,
                shape=array.shape,
                dtype=str(unwrapped(variable).dtype.name),
                dataset=source.dataset,
                transform=_transform(source),
                matched="mapping",
            )
        )
        if not isinstance(array, StoredArray):  # those are looked at when they are read
            self.warnings += not_finite([(source.dataset, array)])


def _taken(source: Source, stored: Any) -> Any:
    """Take a variable's numbers, or what stands for them."""
    if not isinstance(stored, StoredArray):
        return apply_source(source, stored)
    shape = apply_source(source, np.empty(stored.shape, np.uint8)).shape
    if (words := _transform(source)) == "copy":
        return stored
    return stored.turned(functools.partial(apply_source, source), shape=shape, transform=words)


def apply_source(source: Source, stored: Any) -> Any:
    """Take a variable's numbers out of a dataset's. Raises ValueError or IndexError where they do not fit."""
    array = stored[source.part]
    if source.reshape:
        array = array.reshape(source.reshape)
    if source.transpose:
        array = array.transpose(source.transpose)
    return np.flip(array, source.flip)


def _transform(source: Source) -> str:
    words = [f"slice {slice_text(source.part)}"] if source.part else []
    turns = {"reshape": source.reshape, "transpose": source.transpose, "flip": source.flip}
    words += [f"{word} {' '.join(map(str, axes))}" for word, axes in turns.items() if axes]
    return " ".join(words) or "copy"


def _misfits(pair: Pair, stored: Sequence[tuple[str, Any]], arrays: Sequence[Any]) -> Iterator[str]:
    tensors = pair.built.tensors
    if len(arrays) != len(tensors):
        yield (
            f"layer {pair.built.name!r} has {len(tensors)} weights, "
            f"the file holds {len(stored)} of layer {pair.stored.name!r} for it"
        )
        return
    for number, (tensor, array) in enumerate(zip(tensors, arrays, strict=True)):
        if tensor.shape != array.shape:
            path = stored[number][0] if len(stored) == len(arrays) else pair.stored.name
            yield _shape_problem(tensor.name, tensor.shape, path, array.shape)


def _shape_problem(variable: str, wanted: Any, dataset: str, shape: Any) -> str:
    return f"variable {variable!r} has shape {wanted}, {dataset!r} has {tuple(shape)}"


def in_order(pair: Pair) -> list[Tensor]:
    """Return the file's tensors of a pair in the order of the model's: by place, or as they are listed."""
    by_place = {tensor.place: tensor for tensor in pair.stored.tensors}
    places = [tensor.place for tensor in pair.built.tensors]
    if by_place.keys() == set(places) and len(by_place) == len(pair.stored.tensors):
        return [by_place[place] for place in places]
    return list(pair.stored.tensors)
