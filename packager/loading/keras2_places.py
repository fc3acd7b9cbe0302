"""Where tf_keras keeps a model's variables in ``.weights.h5`` files and ``.keras`` archives.

Its own walk (``_save_state`` of tf_keras/src/saving/saving_lib.py) hands out copies of numbers, from which
nobody can tell the variables, so it is done here again: over attributes in falling order of their names, and
over containers, where an object goes by its class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tf_keras.src.engine.base_layer import Layer
from tf_keras.src.saving import saving_lib
from tf_keras.src.utils.generic_utils import to_snake_case

from packager.loading.places import Place


def places_of(model: Any) -> Iterator[Place]:
    """Yield the groups of a model's variables, those that it has itself first."""
    yield from _of_object(model, "", set())


def layers_by_group(config: Mapping[str, Any], around: str = "") -> Iterator[tuple[str, str]]:
    """Yield the groups of an architecture's layers with their names, which such files do not hold."""
    names: Counter[str] = Counter()
    for layer in config["config"].get("layers", ()):
        group = f"{around}layers/{_numbered(layer['class_name'], names)}"
        yield group, layer["config"].get("name", "")
        yield from layers_by_group(layer, f"{group}/")


def _of_object(held: Any, path: str, seen: set[int]) -> Iterator[Place]:
    if id(held) in seen:
        return
    seen.add(id(held))
    if isinstance(held, Layer):
        variables = [*held._trainable_weights, *held._non_trainable_weights]
        yield Place(path=path, name=held.name, variables={str(i): v for i, v in enumerate(variables)})
    for attribute, child in saving_lib._walk_trackable(held):
        below = f"{path}/{attribute}".lstrip("/")
        if saving_lib._is_keras_trackable(child):
            yield from _of_object(child, below, seen)
        elif isinstance(child, (list, dict, tuple, set)):
            yield from _of_container(child.values() if isinstance(child, dict) else child, below, seen)


def _of_container(container: Iterable[Any], path: str, seen: set[int]) -> Iterator[Place]:
    names: Counter[str] = Counter()
    for held in list(container):
        if not saving_lib._is_keras_trackable(held) or id(held) in seen:
            continue
        yield from _of_object(held, f"{path}/{_numbered(type(held).__name__, names)}", seen)


def _numbered(class_name: str, seen: Counter[str]) -> str:
    name = to_snake_case(class_name)
    seen[name] += 1
    return f"{name}_{seen[name] - 1}" if seen[name] > 1 else str(name)
