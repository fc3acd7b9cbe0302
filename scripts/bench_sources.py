"""Write the models that ``bench_convert`` converts, each in a process of its own, for it takes memory.

Run as a program: ``python bench_sources.py NAME keras|tf_keras FILE``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

MODELS: dict[str, Callable[[Any], Any]] = {}


def model(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    MODELS[function.__name__] = function
    return function


@model
def mlp(k: Any) -> Any:
    """Some kilobytes: what remains is start-up."""
    layers = k.layers
    return k.Sequential([layers.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(10)])


@model
def resnet50(k: Any) -> Any:
    """100 MB in 320 variables."""
    return k.applications.ResNet50(weights=None)


@model
def transformer(k: Any) -> Any:
    """1 GB in 325 variables: 20 blocks of attention and feed-forward layers, 16 variables each."""
    layers, width = k.layers, 1024
    given = layers.Input((32,), dtype="int32", name="tokens")
    x = layers.Embedding(8192, width)(given)
    x = layers.LayerNormalization()(x)
    for _ in range(20):
        attended = layers.MultiHeadAttention(16, width // 16)(x, x)
        x = layers.LayerNormalization()(layers.Add()([x, attended]))
        hidden = layers.Dense(4 * width, activation="gelu")(x)
        x = layers.LayerNormalization()(layers.Add()([x, layers.Dense(width)(hidden)]))
    return k.Model(given, layers.Dense(16)(layers.GlobalAveragePooling1D()(x)))


@model
def layers300(k: Any) -> Any:
    """1 GB in 300 layers."""
    return k.Sequential([k.layers.Input((912,)), *(k.layers.Dense(912) for _ in range(300))])


@model
def wide(k: Any) -> Any:
    """4 GB in four kernels of 1 GB."""
    return k.Sequential([k.layers.Input((16384,)), *(k.layers.Dense(16384) for _ in range(4))])


def main(name: str, library: str, file: str) -> None:
    import importlib

    built = MODELS[name](importlib.import_module(library))
    built.save(file)


if __name__ == "__main__":
    main(*sys.argv[1:])
