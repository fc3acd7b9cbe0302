"""Which variable comes from which dataset, proven by comparing the two after loading.

The layout (root attribute ``layer_names``, per layer group ``weight_names``, matched with the model's
layers by order) is that of Keras' legacy HDF5 format; Keras 1, 2 and 3 write it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np

from packager.errors import ModelLoadError
from packager.loading.transforms import Array, find_block, find_transform
from packager.values import Binding

Variable = Any
"""A variable of either Keras: has ``shape`` and ``numpy()``."""

Named = tuple[str, Array]
"""A dataset by its path, or a variable by its name, with its numbers."""


def prove_bindings(
    weights: h5py.Group, layers: Sequence[tuple[str, Sequence[Variable]]], top_level: Sequence[Variable]
) -> tuple[tuple[Binding, ...], tuple[str, ...]]:
    """Pair every variable with its dataset and compare their numbers.

    ``layers`` are the model's layers with their variables in legacy order (trainable first). Returns
    the bindings and warnings (weights that are not finite). Raises ModelLoadError where a dataset or
    a variable is left over, or where a variable holds other numbers than its dataset.
    """
    bindings: list[Binding] = []
    warnings: list[str] = []
    for layer, variables, datasets in layer_pairs(weights, layers, top_level):
        stored = [(str(dataset.name), np.asarray(dataset[()])) for dataset in datasets]
        bindings += prove_layer(layer, [(variable_name(v), np.asarray(v.numpy())) for v in variables], stored)
        warnings += not_finite(stored)
    return tuple(bindings), tuple(warnings)


def prove_layer(layer: str, variables: Sequence[Named], datasets: Sequence[Named]) -> list[Binding]:
    """Find for each variable of a layer the dataset, or the datasets side by side, that it was made of.

    Raises ModelLoadError where a dataset or a variable is left over.
    """
    left = list(datasets)
    bindings: list[Binding] = []
    for name, loaded in variables:
        found = _whole(name, loaded, left) or _blocks(name, loaded, left)
        if not found:
            raise ModelLoadError(
                f"variable {name!r} {loaded.shape} of layer {layer!r} holds the numbers of none of "
                f"{', '.join(f'{path!r} {array.shape}' for path, array in left) or 'the datasets left'}",
                hint="a fault of the loader: please report the file's layer classes and Keras version",
            )
        taken = {binding.dataset for binding in found}
        left = [(path, array) for path, array in left if path not in taken]
        bindings += found
    if left:
        raise ModelLoadError(
            f"layer {layer!r} has {len(variables)} weights, the file holds {len(datasets)} for it",
            hint="packager inspect FILE shows what the file holds",
        )
    return bindings


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
        block = next(((p, a) for p, a in rest if find_block(a, loaded, start)), None)
        if block is None:
            return []
        rest = [entry for entry in rest if entry[0] != block[0]]
        end = start + block[1].shape[-1]
        found.append(_binding(name, loaded, block[0], f"part {':, ' * (loaded.ndim - 1)}{start}:{end}"))
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
) -> Iterator[tuple[str, Sequence[Variable], list[h5py.Dataset]]]:
    """Yield the layers that have weights with those the file lists: by name, or else by order."""
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
    for (name, variables), (_, datasets) in zip(built, stored, strict=True):
        yield name, variables, by_name[name] if same_names else datasets
    if "top_level_model_weights" in weights:
        yield "top_level_model_weights", top_level, _datasets(weights["top_level_model_weights"])


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
    return [
        f"weights {path} hold NaN or infinity"
        for path, array in stored
        if array.dtype.kind in "fc" and not np.isfinite(array).all()
    ]
