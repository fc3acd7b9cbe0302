"""An architecture told in TOML, for weights that came without one: a stack of layers, and no Python to write.

::

    input = [784]           # one example; -1 is any length

    [[layers]]
    class = "Dense"         # of keras.layers, with its arguments below
    units = 128
    activation = "relu"

A table with a ``class`` is a layer wherever it stands, so wrappers take theirs:
``layer = { class = "LSTM", units = 8 }``. A value of ``"?"`` is a question that has to be answered first.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packager.errors import UsageError
from packager.h5.config import Json
from packager.mapping import read_document

OPEN = "?"
"""Stands where whoever wrote a file has to choose."""

_EXAMPLE = 'input = [784], then for each layer [[layers]] with class = "Dense" and its arguments'
_CHOICES = {
    "activation": 'activation = "relu", "softmax", "sigmoid", "tanh" or "linear"',
    "padding": 'padding = "valid" or "same"',
    "input": "input = [28, 28, 1]",
}
_LARGEST = 2**20


def read_spec(path: Path, *, leave_open: bool = False) -> dict[str, Json]:
    """Return the stack in ``path`` as the config of a Sequential model, or raise UsageError.

    With ``leave_open`` activations need not be chosen yet: they do not show in the shapes of weights.
    """
    if path.is_file() and path.stat().st_size > _LARGEST:
        raise UsageError(f"{os.fspath(path)!r} is no architecture: it is larger than 1 MiB")
    document = read_document(path)
    if unknown := document.keys() - {"input", "dtype", "layers"}:
        raise _invalid(path, f"has an unknown key {min(unknown)!r}")
    layers = document.get("layers")
    if not isinstance(layers, list) or not layers or not all(map(_is_layer, layers)):
        raise _invalid(path, "lists no layers, each of them with a class")
    _require_answers(path, document, leave_open=leave_open)
    names = Counter[str]()
    first = {
        "class_name": "InputLayer",
        "config": {
            "name": "input",
            "batch_input_shape": [None, *_input_shape(path, document.get("input"))],
            "dtype": document.get("dtype", "float32"),
        },
    }
    stack = [first, *(_layer_config(layer, names) for layer in layers)]
    return {"class_name": "Sequential", "config": {"name": "sequential", "layers": stack}}


def _invalid(path: Path, what: str) -> UsageError:
    return UsageError(f"{os.fspath(path)!r} {what}", hint=_EXAMPLE)


def _is_layer(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("class"), str)


def _input_shape(path: Path, value: Any) -> list[int | None]:
    valid = isinstance(value, list) and all(type(size) is int and size >= -1 for size in value)
    if not valid:
        raise _invalid(path, f"has an invalid input {value!r}: it is the shape of one example")
    return [None if size == -1 else size for size in value]


def _layer_config(layer: Mapping[str, Any], names: Counter[str]) -> dict[str, Json]:
    """Return a layer's config, by the name that it has or that Keras would make of its class."""
    class_name = layer["class"]
    stem = re.sub(r"(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", class_name).lower()
    generated = f"{stem}_{names[stem]}" if names[stem] else stem
    names[stem] += 1
    arguments = {key: _argument(value, names) for key, value in layer.items() if key != "class"}
    if arguments.get("activation") == OPEN:
        arguments["activation"] = "linear"
    return {"class_name": class_name, "config": {"name": generated, **arguments}}


def _argument(value: Any, names: Counter[str]) -> Json:
    if _is_layer(value):
        return _layer_config(value, names)
    return [_argument(item, names) for item in value] if isinstance(value, list) else value


def _require_answers(path: Path, document: Mapping[str, Any], *, leave_open: bool) -> None:
    questions = [
        (where, key) for where, key in _questions(document, "") if key != "activation" or not leave_open
    ]
    if questions:
        where, key = questions[0]
        more = f" (and {len(questions) - 1} more)" if len(questions) > 1 else ""
        raise UsageError(
            f"{os.fspath(path)!r} leaves {key} of {where or 'the model'} open{more}",
            hint=f"nothing in the weights tells it: write {_CHOICES.get(key, f'{key} = …')}",
        )


def _questions(value: Any, where: str, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield the layer and the argument of every question."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _questions(inner, where, name)
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            told = f"layer {number} ({inner['class']})" if _is_layer(inner) else where
            yield from _questions(inner, told, key)
    elif value == OPEN:
        yield where, key
