"""The default serving signature: tensors in, tensors out, under names that a client can rely on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from packager.errors import SignatureError
from packager.values import Signature, TensorSpec

DEFAULT_KEY = "serving_default"
"""What a server answers with when a request names no signature."""

PREDICT_METHOD = "tensorflow/serving/predict"
"""The method name of a signature that takes and gives plain tensors."""


def serving_signature(
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    *,
    input_names: Mapping[str, str],
    output_names: Mapping[str, str],
) -> Signature:
    """Return the signature of a model whose tensors are ``inputs`` and ``outputs``, in the model's order.

    ``input_names`` and ``output_names`` replace names, old to new. Raises SignatureError for a name
    that the model does not have, for one used twice, and for one that no client could send.
    """
    return Signature(
        key=DEFAULT_KEY,
        method=PREDICT_METHOD,
        inputs=rename(inputs, input_names, side="input"),
        outputs=rename(outputs, output_names, side="output"),
    )


def rename(specs: tuple[TensorSpec, ...], names: Mapping[str, str], *, side: str) -> tuple[TensorSpec, ...]:
    """Give tensors the names worth publishing, in place of generated ones (``input_7``)."""
    known = [spec.name for spec in specs]
    if unknown := names.keys() - set(known):
        raise SignatureError(
            f"no {side} named {', '.join(map(repr, sorted(unknown)))}",
            hint=f"this model's {side}s are: {', '.join(known)}",
        )
    renamed = tuple(dataclasses.replace(spec, name=names.get(spec.name, spec.name)) for spec in specs)
    published = [spec.name for spec in renamed]
    for name in published:
        if not name.strip() or not name.isprintable():
            raise SignatureError(f"invalid {side} name {name!r}", hint="use letters, digits and '_'")
        if published.count(name) > 1:
            raise SignatureError(
                f"two {side}s named {name!r}", hint=f"give each its own: --{side}-name {known[0]}=NAME"
            )
    return renamed
