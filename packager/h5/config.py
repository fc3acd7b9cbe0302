"""The architecture inside a file as plain JSON values, told from damage and from absurd nesting.

What comes out is what a hostile file may say: every access is by a function that takes any value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from packager.h5 import rules
from packager.h5.rules import printable
from packager.values import Finding

Json = Any
"""What ``json.loads`` returns: nothing about its type is known."""

COMPILED = "compile_config"
"""Key of losses, metrics and optimizers beside an architecture of Keras 3."""
_DEEPEST = 120
"""Levels of JSON. A model nested in models takes four levels a model."""


def parse_config(text: str, name: str) -> tuple[dict[str, Json], tuple[Finding, ...]]:
    """Parse the architecture in attribute ``name``; what is none comes back empty, with findings."""
    value, findings = parse_json(text, name)
    if not findings and not isinstance(as_object(value).get("class_name"), str):
        findings = (rules.CONFIG.at(name, f"{name} is JSON, and not of a Keras model: it has no class_name"),)
    return ({} if findings else value), findings


def parse_json(text: str, name: str) -> tuple[Json, tuple[Finding, ...]]:
    """Parse the JSON in attribute ``name``; what is none, or absurdly deep, comes back empty."""
    try:
        value = json.loads(text)
    except RecursionError:
        return {}, (_nested(name),)
    except ValueError as error:
        return {}, (rules.CONFIG.at(name, f"{name} is not JSON: {str(error).lower()}"),)
    return ({}, (_nested(name),)) if _too_deep(value) else (value, ())


def _nested(name: str) -> Finding:
    return rules.NESTING.at(name, f"{name} is nested more than {_DEEPEST} levels deep")


def _too_deep(value: Json) -> bool:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(_DEEPEST):
        below = [item.values() if isinstance(item, dict) else item for item in level]
        level = [child for children in below for child in children if isinstance(child, (dict, list))]
        if not level:
            return False
    return True


class Node(NamedTuple):
    """An object in a config, with its path and the name of the layer that it belongs to."""

    path: str
    value: dict[str, Json]
    layer: str
    class_name: str
    """Of a serialized object (one with a ``config``), else empty."""
    config: dict[str, Json]

    @classmethod
    def of(cls, value: dict[str, Json], path: str = "", layer: str = "") -> Node:
        """Look at ``value``, which is part of ``layer`` unless it has a name itself."""
        config = config_of(value)
        class_name = as_text(value.get("class_name")) if "config" in value else ""
        return cls(path, value, as_text(config.get("name")) or layer, class_name, config)


def walk(value: Json, path: str) -> Iterator[Node]:
    """Yield every object in ``value`` with its path (``model_config/config/layers/3``), in order."""
    pending: list[tuple[str, Json, str]] = [(path, value, "")] if isinstance(value, (dict, list)) else []
    while pending:
        path, value, layer = pending.pop()
        if isinstance(value, dict):
            node = Node.of(value, path, layer)
            layer = node.layer
            yield node
        keys = value.keys() if isinstance(value, dict) else range(len(value))
        below = [(f"{path}/{k}", value[k], layer) for k in keys if isinstance(value[k], (dict, list))]
        pending += reversed(below)


def as_object(value: Json) -> dict[str, Json]:
    """Return ``value`` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """Return ``value`` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: Json) -> str:
    """Return ``value`` if it is a string, made printable, else an empty one."""
    return printable(value) if isinstance(value, str) else ""


def config_of(entry: Json) -> dict[str, Json]:
    """Return the ``config`` of a serialized object, empty where it is none or a list (Keras 1)."""
    return as_object(as_object(entry).get("config"))


def never_compiled(value: Json) -> Json:
    """Return an architecture without losses, metrics and optimizers: packager never compiles a model."""
    if isinstance(value, list):
        return [never_compiled(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: never_compiled(inner) for key, inner in value.items() if key != COMPILED}
