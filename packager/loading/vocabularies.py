"""Vocabularies of layers that were adapted to text: an archive keeps them, an HDF5 file does not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packager.errors import ModelLoadError, UsageError

_LAYERS = ("TextVectorization", "StringLookup", "IntegerLookup")


def with_vocabularies(
    config: Any, supplied: Mapping[str, Path], kept: Mapping[str, Path], *, required: bool = True
) -> Any:
    """Give the layers of an architecture the vocabularies in files, an entry a line.

    Those that the model's own file ``kept`` are taken where none is supplied. Unless they are ``required``,
    layers may do without: they look no words up, then, and have the weights that they have.

    Raises ModelLoadError where a layer needs one and none is given, UsageError where one is of no layer.
    """
    adapted = {name: layer for name, layer in _lookups(config) if layer.get("vocabulary") is None}
    if unknown := supplied.keys() - adapted.keys():
        raise UsageError(
            f"no layer {min(unknown)!r} lacks a vocabulary",
            hint=f"those that do: {', '.join(adapted) or 'none'}",
        )
    files = {**kept, **supplied}
    if not required:
        adapted = {name: layer for name, layer in adapted.items() if name in files}
    for name, layer in adapted.items():
        if name not in files:
            raise _lost(name, layer)
        if layer.get("output_mode") == "tf_idf":
            raise ModelLoadError(
                f"layer {name!r} weighs its words by tf-idf, and those are not read from files",
                hint="give the layer idf_weights when it is made, and save the model again",
            )
    return _filled(config, {name: _read(name, layer, files[name]) for name, layer in adapted.items()})


def _lookups(node: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the layers that look words up, by name."""
    if isinstance(node, list):
        for value in node:
            yield from _lookups(value)
    elif isinstance(node, Mapping):
        config = node.get("config")
        if node.get("class_name") in _LAYERS and isinstance(config, Mapping):
            yield str(config.get("name")), config
        for value in node.values():
            yield from _lookups(value)


def _filled(node: Any, vocabularies: Mapping[str, list[Any]]) -> Any:
    if isinstance(node, list):
        return [_filled(value, vocabularies) for value in node]
    if not isinstance(node, Mapping):
        return node
    done = {key: _filled(value, vocabularies) for key, value in node.items()}
    config = done.get("config")
    if done.get("class_name") in _LAYERS and isinstance(config, dict) and config.get("name") in vocabularies:
        config["vocabulary"] = vocabularies[config["name"]]
        config.pop("vocabulary_size", None)
    return done


def _lost(name: str, layer: Mapping[str, Any]) -> ModelLoadError:
    size = layer.get("vocabulary_size")
    told = f" of {size} entries" if isinstance(size, int) else ""
    return ModelLoadError(
        f"layer {name!r} has lost its vocabulary{told}: the file does not hold it",
        hint=f"--vocabulary {name}=FILE, an entry a line, as get_vocabulary() of the layer gives them",
    )


def _read(name: str, layer: Mapping[str, Any], file: Path) -> list[Any]:
    try:
        entries: list[Any] = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        entries = [entry.removesuffix("\r") for entry in entries]
        if str(layer.get("vocabulary_dtype") or "").startswith("int"):
            entries = [int(entry) for entry in entries]
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot read the vocabulary of {name!r} in {os.fspath(file)!r}: {error}",
            hint="a text file in UTF-8, an entry a line",
        ) from error
    _check_size(name, layer, entries)
    return entries


def _check_size(name: str, layer: Mapping[str, Any], entries: list[Any]) -> None:
    """Compare with the size that the layer records, which counts what stands for padding and the unknown."""
    size = layer.get("vocabulary_size")
    if not isinstance(size, int):
        return
    mask = layer.get("mask_token", "")
    specials = [mask] if layer.get("output_mode", "int") == "int" and mask is not None else []
    specials += [layer.get("oov_token", "[UNK]")] * int(layer.get("num_oov_indices", 1))
    given = len(entries) if entries[: len(specials)] == specials else len(entries) + len(specials)
    if given != size:
        raise ModelLoadError(
            f"the vocabulary of {name!r} has {given} entries, and the layer had {size}",
            hint="write what get_vocabulary() of the layer gives, an entry a line",
        )
