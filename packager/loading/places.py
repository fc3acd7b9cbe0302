"""Where the weights files of Keras 3 keep a model's variables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from packager.loading.matching import Layer, Tensor
from packager.values import LayerSummary

_FOLDERS = ("layers", "_layer_checkpoint_dependencies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One group of a weights file: its path, the name of the object it is for, and its variables."""

    path: str
    name: str | None
    variables: dict[str, Any]


def built_layers(places: Sequence[Place], names: dict[int, str]) -> list[Layer]:
    """Return the model's layers by the group they would lie in; ``names`` are the variables' by identity."""
    layer_names = {place.path: place.name for place in places}
    tensors: dict[str, list[Tensor]] = defaultdict(list)
    for place in places:
        if place.path.rpartition("/")[2] == "seed_generator":
            continue  # the random state of a Dropout, which inference does not read
        layer = layer_group(f"{place.path}/vars/0")
        for index, variable in place.variables.items():
            dataset = f"{place.path}/vars/{index}".lstrip("/")
            tensors[layer].append(
                Tensor(
                    name=names[id(variable)],
                    shape=tuple(variable.shape),
                    place=dataset.removeprefix(layer).lstrip("/"),
                )
            )
    return [
        Layer(
            name=_full_name(group, layer_names),
            place=_place(group),
            tensors=tuple(found),
            class_name=_class_word(group),
        )
        for group, found in tensors.items()
    ]


def stored_layers(summaries: Sequence[LayerSummary]) -> list[Layer]:
    """Return the layers that a weights file of Keras 3 holds weights for."""
    layers = []
    for summary in summaries:
        if summary.weights:
            group = layer_group(summary.weights[0].path)
            tensors = tuple(
                Tensor(name=w.path, shape=w.shape, place=w.path.strip("/").removeprefix(group).lstrip("/"))
                for w in summary.weights
            )
            layers.append(Layer(name=summary.name, place=_place(group), tensors=tensors))
    return layers


def _place(group: str) -> str:
    """Return where a layer lies; tf.keras up to 2.12 came upon the same layers in another folder."""
    return "/" + group.replace(_FOLDERS[1], _FOLDERS[0])


def layer_group(dataset: str) -> str:
    """Return the group of the layer that a dataset belongs to: the one below the innermost folder."""
    parts = dataset.strip("/").split("/")
    folders = [number for number, part in enumerate(parts[:-2]) if part in _FOLDERS]
    if folders:
        return "/".join(parts[: folders[-1] + 2])
    return "" if parts[0] == "vars" else parts[0]


def _full_name(group: str, names: dict[str, str | None]) -> str:
    parts = group.split("/")
    ends = [number + 2 for number, part in enumerate(parts) if part in _FOLDERS] or [len(parts)]
    return "/".join(names.get("/".join(parts[:end])) or parts[end - 1] for end in ends)


def _class_word(group: str) -> str:
    return (
        group.rpartition("/")[2].rstrip("0123456789").rstrip("_")
        if "_" in group
        else group.rpartition("/")[2]
    )
