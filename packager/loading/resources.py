"""Lookup tables, which have to be saved beside the variables."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.trackable.resource import CapturableResource


def resources_of(model: Any) -> tuple[Any, ...]:
    """Return the lookup tables that layers of ``model`` hold."""
    descendants = tf.train.TrackableView(model).descendants()
    return tuple(held for held in descendants if isinstance(held, CapturableResource))
