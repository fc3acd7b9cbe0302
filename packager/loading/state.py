"""Layers that keep a state from one call to the next, which a server shares among all its clients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def forget_between_calls(layers: Iterable[Any]) -> tuple[str, ...]:
    """Let every call start from the initial state; return a warning for each layer that kept one.

    Kept, the answer to one client would depend on what others asked before, and on how often.
    """
    stateful = [layer for layer in layers if getattr(layer, "stateful", False) and hasattr(layer, "states")]
    for layer in stateful:
        layer.stateful = False
    return tuple(
        f"layer {layer.name!r} is stateful: served, every request starts from its initial state"
        for layer in stateful
    )
