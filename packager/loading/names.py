"""Layer names that TensorFlow takes as scopes: others are replaced in the architecture before it is built."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_SCOPE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.>-]*")
"""A name that is valid as a root scope and as a part of one (tensorflow's ops.name_scope)."""


def with_valid_names(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Replace every layer name that TensorFlow would refuse; return that config, and new name → old.

    A name stands in its layer and in every reference to that layer, always as a whole string, so
    every such string is replaced. Keras matches weights by order, not by these names.
    """
    names = list(_layer_names(config))
    taken = set(names)
    replacements: dict[str, str] = {}
    for name in names:
        if name in replacements or _SCOPE.fullmatch(name):
            continue
        wanted = valid = re.sub(r"[^A-Za-z0-9_.-]", "_", name).lstrip("_-") or "layer"
        suffix = 1
        while valid in taken:
            valid, suffix = f"{wanted}_{suffix}", suffix + 1
        taken.add(valid)
        replacements[name] = valid
    renamed: dict[str, Any] = _replace(config, replacements)
    return renamed, {new: old for old, new in replacements.items()}


def _layer_names(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        config = node.get("config")
        if "class_name" in node and isinstance(config, Mapping) and isinstance(config.get("name"), str):
            yield config["name"]
        for value in node.values():
            yield from _layer_names(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _layer_names(value)


def _replace(node: Any, replacements: Mapping[str, str]) -> Any:
    if isinstance(node, Mapping):
        return {key: _replace(value, replacements) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_replace(value, replacements) for value in node]
    return replacements.get(node, node) if isinstance(node, str) else node
