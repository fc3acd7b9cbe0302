"""What a rebuilt model takes and gives: specs of its inputs and outputs, and what the inputs mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from packager.loading.model import ModelInput
from packager.values import Shape, TensorSpec


def describe_inputs(model: Any, names: Sequence[str]) -> tuple[ModelInput, ...]:
    """Describe ``model.inputs`` under ``names``; dimensions are ``None`` where the model leaves them free."""
    readers = _embeddings_by_tensor(model)
    # A nested model of tf_keras does not tell which of the outer tensors it reads, so any may be looked up.
    nested = [size for layer in model.layers if hasattr(layer, "layers") and (size := _vocabulary(layer))]
    fallback = min(nested, default=None)
    return tuple(
        ModelInput(
            spec=TensorSpec(name=name, dtype=_dtype(tensor), shape=_shape(tensor)),
            vocabulary=readers.get(id(tensor), fallback),
        )
        for name, tensor in zip(names, model.inputs, strict=True)
    )


def describe_outputs(model: Any, names: Sequence[str]) -> tuple[TensorSpec, ...]:
    """Describe ``model.outputs`` under ``names``, made distinct where one layer gives several."""
    return tuple(
        TensorSpec(name=name, dtype=_dtype(tensor), shape=_shape(tensor))
        for name, tensor in zip(_distinct(names), model.outputs, strict=True)
    )


def _distinct(names: Iterable[str]) -> list[str]:
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        result.append(f"{name}_{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return result


def _embeddings_by_tensor(model: Any) -> dict[int, int]:
    """Map each tensor that an Embedding reads to the smallest vocabulary among its readers."""
    sizes: dict[int, int] = {}
    for layer in model.layers:
        if (vocabulary := _vocabulary(layer)) is not None:
            tensors = layer.input if isinstance(layer.input, (list, tuple)) else [layer.input]
            for tensor in tensors:
                sizes[id(tensor)] = min(vocabulary, sizes.get(id(tensor), vocabulary))
    return sizes


def _vocabulary(layer: Any) -> int | None:
    """Return the vocabulary of an Embedding, the smallest one of a nested model, else ``None``."""
    if type(layer).__name__ == "Embedding":
        return int(layer.input_dim)
    nested = [size for part in getattr(layer, "layers", ()) if (size := _vocabulary(part)) is not None]
    return min(nested, default=None)


def _shape(tensor: Any) -> Shape:
    return tuple(None if d is None else int(d) for d in tensor.shape)


def _dtype(tensor: Any) -> str:
    return str(getattr(tensor.dtype, "name", tensor.dtype))
