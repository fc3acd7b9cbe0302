"""Which datasets are the weights of which layer, by the layout that each Keras writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packager.h5 import rules
from packager.h5.architecture import LayerConfig
from packager.h5.objects import Contents
from packager.h5.rules import quote
from packager.values import Finding, LayerSummary, WeightDataset

_TOP_LEVEL = "top_level_model_weights"
_KERAS3_FOLDERS = frozenset({"layers", "_layer_checkpoint_dependencies"})
_NO_WEIGHTS = frozenset({"optimizer", "optimizer_weights", "seed_generator"})
"""Groups with state of training, and with the random state that Keras 3 keeps in a variable."""
_METRICS = "metrics"
"""The group, at the top, of what a model of tf_keras counted when it was trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedWeights:
    """The weights that a file lists by layer (Keras 1 and 2, full files of Keras 3)."""

    root: str
    layers: dict[str, tuple[WeightDataset, ...]]
    missing: tuple[Finding, ...]


def layer_names_root(contents: Contents) -> str | None:
    """Return the group whose attribute ``layer_names`` lists the layers, ``None`` where none does."""
    groups = (group for group in ("/model_weights", "/") if contents.names(group, "layer_names") is not None)
    return next(groups, None)


def listed_weights(contents: Contents, root: str) -> ListedWeights:
    """Return the weights that ``layer_names`` and each layer's ``weight_names`` list below ``root``."""
    layers: dict[str, tuple[WeightDataset, ...]] = {}
    missing: list[Finding] = []
    for layer in [*(contents.names(root, "layer_names") or ()), _TOP_LEVEL]:
        group = _join(root, layer)
        names = contents.names(group, "weight_names") or ()
        paths = [_join(group, name) for name in names]
        layers[layer] = tuple(contents.datasets[path] for path in paths if path in contents.datasets)
        for path in paths:
            if path not in contents.datasets:
                missing.append(
                    rules.MISSING_WEIGHTS.at(path, f"layer {quote(layer)} lists a weight that is not there")
                )
    if not layers[_TOP_LEVEL]:
        del layers[_TOP_LEVEL]
    return ListedWeights(root=root, layers=layers, missing=tuple(missing))


def summarize_listed(weights: ListedWeights) -> tuple[LayerSummary, ...]:
    """Summarize the layers of a file without an architecture, which says nothing of their classes."""
    return tuple(LayerSummary(name=n, class_name="", weights=w) for n, w in weights.layers.items())


def summarize_model(model: Iterable[LayerConfig], weights: ListedWeights) -> tuple[LayerSummary, ...]:
    """Summarize the layers of a model, nested ones as ``outer/inner``; then weights of no layer in it."""
    remaining = dict(weights.layers)
    summaries: list[LayerSummary] = []
    for layer in model:
        group = _join(weights.root, layer.name)
        pieces = [_Piece.of(dataset, group) for dataset in remaining.pop(layer.name, ())]
        summaries += _summaries(layer, layer.name, pieces)
    rest = {name: datasets for name, datasets in remaining.items() if datasets}
    summaries += [LayerSummary(name=n, class_name="", weights=w) for n, w in rest.items()]
    return tuple(summaries)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A weight of an outermost layer, with the names on its path there: those of inner layers, mostly."""

    dataset: WeightDataset
    names: frozenset[str]

    @classmethod
    def of(cls, dataset: WeightDataset, group: str) -> _Piece:
        names = dataset.path.removeprefix(group).split("/")[:-1]
        return cls(dataset=dataset, names=frozenset(names))


def _summaries(layer: LayerConfig, name: str, pieces: list[_Piece]) -> Iterator[LayerSummary]:
    """Yield the layer and those inside it; weights that cannot be told apart stay with the outer one."""
    parts: list[list[_Piece]] = [[] for _ in layer.inner]
    own: list[_Piece] = []
    inner_names = [_all_names(inner) for inner in layer.inner]
    for piece in pieces:
        owners = [part for part, names in zip(parts, inner_names, strict=True) if names & piece.names]
        if layer.wrapper and len(parts) == 1:
            owners = parts
        (owners[0] if owners else own).append(piece)
    yield LayerSummary(
        name=name,
        class_name=layer.class_name,
        weights=tuple(piece.dataset for piece in own),
        custom=layer.custom,
    )
    for inner, part in zip(layer.inner, parts, strict=True):
        yield from _summaries(inner, f"{name}/{inner.name}", part)


def _all_names(layer: LayerConfig) -> frozenset[str]:
    return frozenset({layer.name}).union(*map(_all_names, layer.inner))


def summarize_keras3(contents: Contents) -> tuple[LayerSummary, ...]:
    """Summarize a Keras 3 weights file: ``layers/dense/vars/0``, where ``dense`` is made from the class name.

    The layer's own name is an attribute of its ``vars``.
    """
    by_group: dict[str, list[WeightDataset]] = {
        path: [] for path in contents.groups if path.split("/")[-2] in _KERAS3_FOLDERS
    }
    for path, dataset in contents.datasets.items():
        parts = path.split("/")
        if not _NO_WEIGHTS & set(parts) and parts[1] != _METRICS:
            by_group.setdefault(_keras3_layer(path), []).append(dataset)
    return tuple(
        LayerSummary(name=_keras3_name(contents, group), class_name="", weights=tuple(datasets))
        for group, datasets in by_group.items()
    )


def _keras3_layer(path: str) -> str:
    """Return the group of the innermost layer that ``path`` is in: the one below the last folder."""
    parts = path.split("/")
    folders = [place for place, part in enumerate(parts[:-2]) if part in _KERAS3_FOLDERS]
    if folders:
        return "/".join(parts[: folders[-1] + 2])
    return "/" if parts[1] == "vars" else f"/{parts[1]}"  # of the model itself, or of an attribute of it


def _keras3_name(contents: Contents, group: str) -> str:
    """Return the names of the layer and those around it, joined by slashes."""
    parts = group.split("/")
    ends = [place + 2 for place, part in enumerate(parts) if part in _KERAS3_FOLDERS] or [len(parts)]
    groups = ["/".join(parts[:end]) for end in ends]
    return "/".join(contents.name(_join(g, "vars"), "name") or g.rpartition("/")[2] or "/" for g in groups)


def summarize_raw(contents: Contents) -> tuple[LayerSummary, ...]:
    """Summarize datasets of no known layout by the group that they are in."""
    by_group: dict[str, list[WeightDataset]] = {}
    for path, dataset in contents.datasets.items():
        by_group.setdefault(path.rpartition("/")[0].lstrip("/") or "/", []).append(dataset)
    return tuple(LayerSummary(name=n, class_name="", weights=tuple(w)) for n, w in by_group.items())


def _join(group: str, name: str) -> str:
    return f"{group.rstrip('/')}/{name}"
