"""Recurrent layers that keep their state from one call to the next, which no served model may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from packager.loading.architecture import is_model


def without_state(config: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return an architecture whose layers begin every call afresh, and the names of those that did not.

    A server answers requests of many clients, several at once: state of one would get into the answers of
    others. Keras keeps no state in the file.
    """
    names: list[str] = []
    changed: dict[str, Any] = _stateless(config, names)
    return changed, tuple(dict.fromkeys(names))


def _stateless(node: Any, names: list[str]) -> Any:
    if isinstance(node, Mapping):
        if node.get("stateful") is True:
            names.append(str(node.get("name", "?")))
            node = {**node, "stateful": False}
        return {key: _stateless(value, names) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_stateless(value, names) for value in node]
    return node


def forget_state(model: Any) -> tuple[str, ...]:
    """Let the layers of a built model begin every call afresh; return the names of those that did not."""
    names = []
    for layer in model._flatten_layers(include_self=False):
        if getattr(layer, "stateful", None) is True and not is_model(layer):  # a model tells of its layers
            layer.stateful = False
            names.append(str(layer.name))
    return tuple(dict.fromkeys(names))
