"""Which variable comes from which dataset: known where it is bound to it, else proven by comparing numbers.

The layout (root attribute ``layer_names``, per layer group ``weight_names``, matched with the model's
layers by order) is that of Keras' legacy HDF5 format; Keras 1, 2 and 3 write it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import h5py
import numpy as np

from packager.errors import ModelLoadError
from packager.loading.deferred import set_variable, stored_array
from packager.loading.transforms import Array, find_block, find_transform
from packager.stored import StoredArray, array_of, numbers
from packager.values import Binding

Variable = Any
"""A variable of either Keras: has ``shape`` and ``numpy()``."""

Named = tuple[str, Array]
"""A dataset by its path, or a variable by its name, with its numbers."""

Stored = Array | StoredArray
"""A dataset's numbers, or what stands for many of them."""

LayerPair = tuple[str, Sequence[Variable], Sequence[h5py.Dataset]]
"""A layer's name, its variables, and the datasets that the file lists for it."""

Convert = Callable[[str, list[Stored]], Sequence[Stored]]
"""A layer's name and what the file holds for it → what its variables are to hold."""


def set_layers(pairs: Iterable[LayerPair], convert: Convert = lambda _, arrays: arrays) -> None:
    """Set every variable from the file. Raises ModelLoadError where they do not fit one another."""
    for layer, variables, datasets in pairs:
        arrays = convert(layer, [array_of(dataset) for dataset in datasets])
        shapes, found = [tuple(v.shape) for v in variables], [tuple(a.shape) for a in arrays]
        if not _fit(shapes, found):
            raise ModelLoadError(
                f"layer {layer!r} has weights of shapes {shapes}, the file holds {found}",
                hint="packager inspect FILE shows what the file holds",
            )
        for variable, array in zip(variables, arrays, strict=True):
            set_variable(variable, array)


def _fit(shapes: Sequence[Any], found: Sequence[Any]) -> bool:
    """Compare shapes; a variable may leave a dimension free, as the summary of a Discretization does."""
    return len(shapes) == len(found) and all(
        len(shape) == len(stored) and all(a in (None, b) for a, b in zip(shape, stored, strict=True))
        for shape, stored in zip(shapes, found, strict=True)
    )


def prove_bindings(pairs: Iterable[LayerPair]) -> tuple[tuple[Binding, ...], tuple[str, ...]]:
    """Pair every variable with its dataset and compare their numbers.

    Returns the bindings and warnings (weights that are not finite). Raises ModelLoadError where a dataset
    or a variable is left over, or where a variable holds other numbers than its dataset.
    """
    bindings: list[Binding] = []
    warnings: list[str] = []
    for layer, variables, datasets in pairs:
        named = [(variable_name(variable), variable) for variable in variables]
        by_path = {str(dataset.name): dataset for dataset in datasets}
        unread = [(path, partial(numbers, dataset)) for path, dataset in by_path.items()]
        of_layer, read = prove_layer(layer, named, unread)
        bindings += of_layer
        warnings += not_finite(read)
        warnings += whole_for_float(of_layer, {path: dataset.dtype for path, dataset in by_path.items()})
    return tuple(bindings), tuple(warnings)


def prove_layer(
    layer: str, variables: Sequence[tuple[str, Variable]], datasets: Sequence[tuple[str, Callable[[], Array]]]
) -> tuple[list[Binding], list[Named]]:
    """Find for each variable of a layer the dataset, or the datasets side by side, that it was made of.

    ``datasets`` are paths with what reads the numbers there, which those need that no variable is bound to.
    Returns the datasets that were read for it as well. Raises ModelLoadError where a dataset or a variable
    is left over.
    """
    paths = [path for path, _ in datasets]
    known = [_bound(name, variable, paths) for name, variable in variables]
    taken = {bound.dataset for bound in known if bound}
    read = [(path, numbers_of()) for path, numbers_of in datasets if path not in taken]
    left, bindings = list(read), []
    for (name, variable), bound in zip(variables, known, strict=True):
        found = [bound] if bound else _proven(layer, name, np.asarray(variable.numpy()), left)
        used = {binding.dataset for binding in found}
        left = [(path, array) for path, array in left if path not in used]
        bindings += found
    if left:
        raise ModelLoadError(
            f"layer {layer!r} has {len(variables)} weights, the file holds {len(datasets)} for it",
            hint="packager inspect FILE shows what the file holds",
        )
    return bindings, read


def _bound(name: str, variable: Variable, datasets: Collection[str]) -> Binding | None:
    """Tell of a variable that is bound to one of ``datasets``, for which nothing has to be read."""
    stored = stored_array(variable)
    if stored is None or stored.dataset not in datasets:  # a shared one may be bound to another layer's
        return None
    return Binding(
        variable=name,
        shape=stored.shape,
        dtype=str(stored.dtype),
        dataset=stored.dataset,
        transform=stored.transform,
    )


def _proven(layer: str, name: str, loaded: Array, left: Sequence[Named]) -> list[Binding]:
    found = _whole(name, loaded, left) or _blocks(name, loaded, left)
    if not found:
        raise ModelLoadError(
            f"variable {name!r} {loaded.shape} of layer {layer!r} holds the numbers of none of "
            f"{', '.join(f'{path!r} {array.shape}' for path, array in left) or 'the datasets left'}",
            hint="a fault of the loader: please report the file's layer classes and Keras version",
        )
    return found


def _whole(name: str, loaded: Array, left: Sequence[Named]) -> list[Binding]:
    for exactly in (True, False):  # a copy of a later dataset is better than a turned earlier one
        for path, stored in left:
            if exactly and stored.shape != loaded.shape:
                continue
            transform = find_transform(stored, loaded)
            if transform and (transform == "copy" or not exactly):
                return [_binding(name, loaded, path, transform)]
    return []


def _blocks(name: str, loaded: Array, left: Sequence[Named]) -> list[Binding]:
    """Return the datasets that lie side by side in ``loaded``, as the gates of an LSTM of Keras 1."""
    found: list[Binding] = []
    rest, start = list(left), 0
    while loaded.ndim and start < loaded.shape[-1]:
        blocks = ((path, find_block(array, loaded, start)) for path, array in rest)
        path, block = next(((p, b) for p, b in blocks if b), ("", None))
        if block is None:
            return []
        rest = [entry for entry in rest if entry[0] != path]
        end = start + block[0]
        part = f"part {':, ' * (loaded.ndim - 1)}{start}:{end} {block[1]}"
        found.append(_binding(name, loaded, path, part.strip()))
        start = end
    return found


def _binding(name: str, loaded: Array, dataset: str, transform: str) -> Binding:
    return Binding(
        variable=name,
        shape=tuple(loaded.shape),
        dtype=str(loaded.dtype),
        dataset=dataset,
        transform=transform,
    )


def variable_name(variable: Variable) -> str:
    """Return a variable's name with its layer's, as either Keras spells it."""
    return str(getattr(variable, "path", None) or variable.name.removesuffix(":0"))


def layer_pairs(
    weights: h5py.Group, layers: Sequence[tuple[str, Sequence[Variable]]], top_level: Sequence[Variable]
) -> list[LayerPair]:
    """Pair the layers that have weights with those the file lists: by name, or else by order.

    ``layers`` are the model's, with their variables in legacy order (trainable first).
    """
    stored = [(name, _datasets(weights[name])) for name in _names(weights, "layer_names")]
    stored = [(name, datasets) for name, datasets in stored if datasets]
    built = [(name, variables) for name, variables in layers if variables]
    if len(stored) != len(built):
        raise ModelLoadError(
            f"the model has {len(built)} layers with weights, the file holds weights of {len(stored)}",
            hint="packager inspect FILE shows what the file holds",
        )
    by_name = dict(stored)
    same_names = by_name.keys() == {name for name, _ in built} and len(by_name) == len(built)
    pairs: list[LayerPair] = [
        (name, variables, by_name[name] if same_names else datasets)
        for (name, variables), (_, datasets) in zip(built, stored, strict=True)
    ]
    if "top_level_model_weights" in weights:
        pairs.append(("top_level_model_weights", top_level, _datasets(weights["top_level_model_weights"])))
    return pairs


def _datasets(group: h5py.Group) -> list[h5py.Dataset]:
    return [group[name] for name in _names(group, "weight_names")]


def _names(group: h5py.Group, attribute: str) -> list[str]:
    """Read a list of names; a long one is spread over ``attribute0``, ``attribute1`` and so on."""
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    else:
        parts = []
        while f"{attribute}{len(parts)}" in group.attrs:
            parts.append(group.attrs[f"{attribute}{len(parts)}"])
    return [n.decode() if isinstance(n, bytes) else str(n) for part in parts for n in part]


def not_finite(stored: Sequence[Named]) -> list[str]:
    """Return a warning for each dataset that holds NaN or infinity."""
    return [f"weights {path} hold NaN or infinity" for path, array in stored if not is_finite(array)]


def whole_for_float(bindings: Iterable[Binding], stored: Mapping[str, np.dtype[Any]]) -> list[str]:
    """Return a warning for each variable that computes with fractions, and comes from whole numbers.

    ``stored`` are the types of datasets by their paths.
    """
    return [
        f"weights {bound.dataset} are whole numbers ({stored[bound.dataset]}), and {bound.variable!r} takes "
        f"{bound.dtype}: if they were quantised, their scale is not applied"
        for bound in bindings
        if stored[bound.dataset].kind in "iub" and "float" in bound.dtype
    ]


def is_finite(array: Array) -> bool:
    """Tell whether no number is NaN or infinity; whole numbers, flags and text are none."""
    return array.dtype.kind in "biuOSU" or bool(np.isfinite(array).all())
