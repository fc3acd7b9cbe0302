"""Sequential models of Keras 1 that begin with a Merge: branches side by side, which are a graph today."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from packager.errors import ModelLoadError

Config = dict[str, Any]
Upgrade = Callable[[Mapping[str, Any]], Config]


def begins_with_branches(layers: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a list of layers starts with a Merge of models."""
    return bool(layers) and layers[0].get("class_name") == "Merge"


def as_functional(name: str, layers: Sequence[Mapping[str, Any]], *, upgrade: Upgrade) -> Config:
    """Return a Sequential that begins with a Merge as a functional model of Keras 2.

    ``upgrade`` tells one layer in the words of Keras 2. The layers of the branches become layers of the model
    itself: Keras 1 saved their weights so. Raises ModelLoadError for branches that are no stacks of layers.
    """
    graph = _Graph(upgrade)
    last = graph.add_stack(layers)
    return {
        "class_name": "Model",
        "config": {
            "name": name,
            "layers": graph.layers,
            "input_layers": [[given, 0, 0] for given in graph.inputs],
            "output_layers": [[last, 0, 0]],
        },
    }


class _Graph:
    """The layers of a functional model, as they are added from its inputs on."""

    def __init__(self, upgrade: Upgrade) -> None:
        self._upgrade = upgrade
        self.layers: list[Config] = []
        self.inputs: list[str] = []

    def add_stack(self, layers: Sequence[Mapping[str, Any]]) -> str:
        """Add layers one behind the other, return the name of the last one."""
        if begins_with_branches(layers):
            merge = layers[0]
            ends = [self.add_stack(_stack(branch)) for branch in merge["config"].get("layers", ())]
            last = self._add(self._upgrade(merge), ends)
            layers = layers[1:]
        else:
            last = self._add_input(layers[0])
        for entry in layers:
            last = self._add(self._upgrade(entry), [last])
        return last

    def _add_input(self, first: Mapping[str, Any]) -> str:
        shape = first["config"].get("batch_input_shape") if isinstance(first["config"], Mapping) else None
        if shape is None:
            raise _unsupported(f"begins with {first.get('class_name')!r}, which tells no input shape")
        name = f"{first['config']['name']}_input"
        dtype = first["config"].get("input_dtype") or "float32"
        config = {"name": name, "batch_input_shape": shape, "dtype": dtype, "sparse": False}
        self.inputs.append(name)
        return self._add({"class_name": "InputLayer", "config": config}, [])

    def _add(self, layer: Config, sources: Sequence[str]) -> str:
        name = str(layer["config"]["name"])
        if any(known["name"] == name for known in self.layers):
            raise _unsupported(f"shares the layer {name!r} with another branch")
        nodes = [[[source, 0, 0, {}] for source in sources]] if sources else []
        self.layers.append({**layer, "name": name, "inbound_nodes": nodes})
        return name


def _stack(branch: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the layers of a branch: a Sequential, or one layer alone."""
    if branch["class_name"] == "Sequential":
        inner = branch["config"]
        layers: Sequence[Mapping[str, Any]] = inner if isinstance(inner, list) else inner["layers"]
        return layers
    if branch["class_name"] == "Model":
        raise _unsupported("is a functional model")
    return [branch]


def _unsupported(how: str) -> ModelLoadError:
    return ModelLoadError(
        f"a branch of the Merge that this Keras 1 model begins with {how}",
        hint="give the architecture in Keras 2 beside the weights: --architecture file.py:function",
    )
