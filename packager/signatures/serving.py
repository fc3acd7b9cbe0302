"""Names that a client can rely on, in place of those that a model happens to have."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from packager.errors import SignatureError
from packager.values import TensorSpec

DEFAULT_KEY = "serving_default"
"""What a server answers with when a request names no signature."""

PREDICT_METHOD = "tensorflow/serving/predict"
"""The method name of a signature that takes and gives plain tensors."""


def rename(specs: tuple[TensorSpec, ...], names: Mapping[str, str], *, side: str) -> tuple[TensorSpec, ...]:
    """Give tensors the names worth publishing, in place of generated ones (``input_7``).

    Raises SignatureError for a name that the model does not have, for one used twice, and for one that no
    client could send.
    """
    known = [spec.name for spec in specs]
    if unknown := names.keys() - set(known):
        raise SignatureError(
            f"no {side} named {', '.join(map(repr, sorted(unknown)))}",
            hint=f"this model's {side}s are: {', '.join(known)}",
        )
    renamed = tuple(dataclasses.replace(spec, name=names.get(spec.name, spec.name)) for spec in specs)
    check_names([spec.name for spec in renamed], side=side)
    return renamed


def check_names(published: Sequence[str], *, side: str) -> None:
    """Raise SignatureError for a name used twice, and for one that no client could send."""
    for name in published:
        if not name.strip() or not name.isprintable():
            raise SignatureError(f"invalid {side} name {name!r}", hint="use letters, digits and '_'")
        if published.count(name) > 1:
            raise SignatureError(
                f"two {side}s named {name!r}", hint=f"give each its own: --{side}-name {name}=NAME"
            )
