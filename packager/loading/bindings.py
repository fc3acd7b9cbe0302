"""Which variable comes from which dataset, proven by comparing the two after loading.

The layout (root attribute ``layer_names``, per layer group ``weight_names``, matched with the model's
layers by order) is that of Keras' legacy HDF5 format; Keras 1, 2 and 3 write it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from packager.errors import ModelLoadError
from packager.values import Binding

Variable = Any
"""A variable of either Keras: has ``shape`` and ``numpy()``."""


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
    for layer, variables, datasets in _pairs(weights, layers, top_level):
        if len(variables) != len(datasets):
            raise ModelLoadError(
                f"layer {layer!r} has {len(variables)} weights, the file holds {len(datasets)} for it",
                hint="packager inspect FILE shows what the file holds",
            )
        for variable, dataset in zip(variables, datasets, strict=True):
            stored, loaded = dataset[()], np.asarray(variable.numpy())
            bindings.append(_binding(variable, loaded, dataset, stored))
            if not _finite(stored):
                warnings.append(f"weights {dataset.name} hold NaN or infinity")
    return tuple(bindings), tuple(warnings)


def _pairs(
    weights: h5py.Group, layers: Sequence[tuple[str, Sequence[Variable]]], top_level: Sequence[Variable]
) -> Iterator[tuple[str, Sequence[Variable], list[h5py.Dataset]]]:
    stored = [(name, _datasets(weights[name])) for name in _names(weights, "layer_names")]
    stored = [(name, datasets) for name, datasets in stored if datasets]
    built = [(name, variables) for name, variables in layers if variables]
    if len(stored) != len(built):
        raise ModelLoadError(
            f"the model has {len(built)} layers with weights, the file holds weights of {len(stored)}",
            hint="packager inspect FILE shows what the file holds",
        )
    for (name, variables), (_, datasets) in zip(built, stored, strict=True):
        yield name, variables, datasets
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


def _binding(
    variable: Variable, loaded: npt.NDArray[Any], dataset: h5py.Dataset, stored: npt.NDArray[Any]
) -> Binding:
    name = str(getattr(variable, "path", None) or variable.name.removesuffix(":0"))
    if stored.shape == loaded.shape and _same(stored.astype(loaded.dtype), loaded):
        transform = "copy"
    elif stored.size == loaded.size and _same(
        np.sort(stored, axis=None).astype(loaded.dtype), np.sort(loaded, axis=None)
    ):
        transform = "convert"
    else:
        raise ModelLoadError(
            f"variable {name!r} {loaded.shape} does not hold the numbers of {dataset.name!r} {stored.shape}",
            hint="this is a fault of the loader: please report the file's layer classes and Keras version",
        )
    return Binding(
        variable=name,
        shape=tuple(loaded.shape),
        dtype=str(loaded.dtype),
        dataset=str(dataset.name),
        transform=transform,
    )


def _same(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


def _finite(array: npt.NDArray[Any]) -> bool:
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())
