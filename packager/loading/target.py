"""The model that weights are to be put into, with the names of its variables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from packager.loading.bindings import variable_name
from packager.loading.matching import Layer, Tensor
from packager.loading.places import built_layers
from packager.values import FileKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The model whose variables are to be set, with the library it is of."""

    model: Any
    library: ModuleType
    variables: Mapping[str, Any]
    """By names that are unique in the model."""

    @classmethod
    def of(cls, model: Any, library: ModuleType) -> Target:
        """Name the variables of a model."""
        return cls(model=model, library=library, variables=_named_variables(model, library))

    def layers(self, kind: FileKind) -> list[Layer]:
        """Return the model's layers with weights, cut as a file of ``kind`` cuts them."""
        names = {id(variable): name for name, variable in self.variables.items()}
        if kind is FileKind.KERAS3_WEIGHTS:
            return built_layers(self.library.places(self.model), names)
        if kind is FileKind.RAW:
            return [single_tensor(name, tuple(variable.shape)) for name, variable in self.variables.items()]
        return [
            Layer(
                name=layer.name,
                place="",
                tensors=tuple(Tensor(name=names[id(v)], shape=tuple(v.shape)) for v in variables),
                class_name=type(layer).__name__,
            )
            for layer, variables in self.library.legacy_order(self.model)
            if variables
        ]


def _named_variables(model: Any, library: ModuleType) -> dict[str, Any]:
    """Return the variables to set by unique names, as a mapping file writes them."""
    variables = [v for _, of_layer in library.legacy_order(model) for v in of_layer]
    variables += library.top_level(model)
    seen: Counter[str] = Counter()
    named: dict[str, Any] = {}
    for variable in {id(v): v for v in variables}.values():
        name = variable_name(variable).removeprefix(f"{model.name}/")
        seen[name] += 1
        named[f"{name}#{seen[name]}" if seen[name] > 1 else name] = variable
    return named


def single_tensor(name: str, shape: tuple[int, ...]) -> Layer:
    """Return a layer of its own for a tensor that belongs to no known one."""
    tensor = Tensor(name=name, shape=shape)
    return Layer(name=name.strip("/"), place="", tensors=(tensor,), class_name="")
